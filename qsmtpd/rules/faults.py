"""What is wrong with a file of rules: line, column, what was expected, what was found, and what was probably meant.

parse.py imports this when it has met something that is wrong, and only then.
"""

from .expression import OPERATORS
from .parse import CODES, LINE_MAX, NESTING_MAX, NUMBERED, RESERVED, SPOKEN, TEXT, RuleError, Wrong, halves, read_line, tokens
from .rule import VERBS
from .suggest import nearest
from .text import PLACEHOLDERS
from .vocabulary import STAGES

SHOWN_MAX = 40
"""Characters of a word that a message repeats."""

_MARKS = frozenset("&|!()?@<>=")
_BEGINNINGS = 'a tag, a fact, "any", "unknown(", "!" or "("'


def faults(text: bytes, vocabulary: "Mapping[str, Term]") -> list[RuleError]:
    """Every line that is wrong, in order; what comes first in a line hides what is wrong behind it."""
    found = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        line = raw.decode("latin-1")
        column = _strange(line)
        if column:
            found.append(RuleError(number, column, f"expected printable ASCII, found {_byte(line[column - 1])}"))
        elif line and line[0] != "#":
            try:
                read_line(number, line, vocabulary)
            except Wrong as wrong:
                found.append(_error(number, _Place(line, wrong, vocabulary)))
    return found


def _error(number: int, place: "_Place") -> RuleError:
    """Not made in faults(): a frame that an error has passed and that keeps it is there until the collector of cycles comes."""
    return RuleError(number, place.column(), place.message())


def positions(head: str) -> list[int]:
    """Where each of tokens(head) begins, 0 for the first character; the last is where the words end."""
    found, at, end = [], 0, len(head.rstrip(" \t"))
    while at < end:
        if head[at] not in " \t":
            found.append(at)
            at = _word_end(head, at)
        else:
            at += 1
    return [*found, end]


def _word_end(head: str, at: int) -> int:
    if head[at] in _MARKS:
        return at + (2 if head[at:at + 2] in ("<=", ">=") else 1)
    while at < len(head) and head[at] not in _MARKS and head[at] not in " \t":
        at += 1
    return at


def _strange(line: str) -> int:
    """The column of the first byte that no rule may hold, 0 when there is none."""
    for column, character in enumerate(line, 1):
        if not (" " <= character <= "~" or character == "\t"):
            return column
    return 0


def _byte(character: str) -> str:
    if character == "\r":
        return "a carriage return (a line ends with a line feed alone)"
    return f"the byte 0x{ord(character):02x}"


def _shown(word: str) -> str:
    return f'"{word[:SHOWN_MAX]}..."' if len(word) > SHOWN_MAX else f'"{word}"'


def _listed(words: "Sequence[str]") -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


class _Place:
    """A line and where in it something is wrong."""

    def __init__(self, line: str, wrong: Wrong, vocabulary: "Mapping[str, Term]") -> None:
        self.line = line
        self.wrong = wrong
        self.vocabulary = vocabulary
        self.quote = line.find('"')
        self.words: list[str] = []
        self.head = ""
        if wrong.why != "long" and wrong.at != TEXT:
            self.head, text = halves(line)
            self.words = tokens(self.head)
            self.quote = -1 if text is None else len(self.head)
        self.word = self.words[wrong.at] if self.words else ""
        self.before = self.words[wrong.at - 1] if self.words and wrong.at else ""

    def column(self) -> int:
        """1 for the first character."""
        if self.wrong.why == "long":
            return LINE_MAX + 1
        if self.wrong.at == TEXT:
            return self.quote + 2 + self.wrong.offset
        if not self.word and self.quote >= 0:
            return self.quote + 1
        return positions(self.head)[self.wrong.at] + 1

    def message(self) -> str:
        """What is wrong."""
        name = self.wrong.why.replace("-", "_")
        method = getattr(self, f"_{name}", None)
        if method is not None:
            return str(method())
        return PLAIN[self.wrong.why].format(
            verb=self._verb_word(), found=self._found(), word=_shown(self.word), before=self.before)

    def _found(self) -> str:
        if self.word:
            return f"found {_shown(self.word)}"
        return "found a text" if self.quote >= 0 else "found the end of the line"

    def _verb_word(self) -> str:
        """The verb before the place, or in the line when the text is wrong."""
        words = self.words[:self.wrong.at] if self.words else tokens(self.line[:self.quote])
        return next((word for word in reversed(words) if word in VERBS), "")

    def _is_name(self) -> bool:
        return self.word[:1].isalpha()

    def _guess(self, words: "Sequence[str]") -> str:
        guess = nearest(self.word, words)
        return f'; did you mean "{guess}"?' if guess else ""

    def _operand(self) -> str:
        if self._is_name() and self.word not in VERBS:
            return f"no tag or fact has the name {_shown(self.word)}{self._guess([*self.vocabulary, 'any', 'unknown'])}"
        hint = '; a rule that always holds begins with "any"' if self.word in VERBS and not self.wrong.at else ""
        return f"expected {_BEGINNINGS}, {self._found()}{hint}"

    def _number(self) -> str:
        if self.word in self.vocabulary:
            return f"expected a number or a fact, but {_shown(self.word)} is a tag"
        if self._is_name():
            facts = [name for name, term in self.vocabulary.items() if term.kind == "fact"]
            return f"no fact has the name {_shown(self.word)}{self._guess(facts)}"
        return f"expected a number of at most 20 digits, or a fact, {self._found()}"

    def _unknown_tag(self) -> str:
        if self.word in self.vocabulary:
            return f"expected a tag, but {_shown(self.word)} is a fact"
        if self._is_name():
            tags = [name for name, term in self.vocabulary.items() if term.kind != "fact"]
            return f"no tag has the name {_shown(self.word)}{self._guess(tags)}"
        return f"expected a tag, {self._found()}"

    def _verb(self) -> str:
        if self.word in OPERATORS and self.before in self.vocabulary:
            return f'"{self.before}" is a tag, which holds or does not: only a fact is compared'
        if self.before == "?":
            return f"expected a verb behind the \"?\", {self._found()}{self._guess(VERBS) if self._is_name() else ''}"
        if not self._is_name() or self.word in self.vocabulary:
            return f'expected "&", "|" or an action, {self._found()}'
        return f"no action has the name {_shown(self.word)}{self._guess(VERBS)}"

    def _stage(self) -> str:
        return f"expected {_listed(SPOKEN)} behind the \"@\", {self._found()}{self._guess(SPOKEN) if self._is_name() else ''}"

    def _early(self) -> str:
        return f'"@{self.words[self.wrong.at + 1]}" is too early: {self._latest()}'

    def _late(self) -> str:
        return f"{self.word} is for recipients, and comes too late: {self._latest()}"

    def _latest(self) -> str:
        """The word before the place that is known last, and from when on."""
        stage = max(self.vocabulary[word].stage for word in self.words[:self.wrong.at] if word in self.vocabulary)
        late = next(word for word in self.words if word in self.vocabulary and self.vocabulary[word].stage == stage)
        return f'"{late}" is known from {STAGES[stage]} on'

    def _extra(self) -> str:
        verb = self._verb_word()
        behind = self.words[self.words.index(verb):self.wrong.at]
        return f"expected {_listed(_still_to_come(verb, behind))}, {self._found()}"

    def _code(self) -> str:
        verb = self._verb_word()
        wanted = "421, or a code of three digits that begins with 5" if verb == "close" else (
            f"a code of three digits that begins with {CODES[verb]}")
        return f"{verb} wants {wanted}, {self._found()}"

    def _class(self) -> str:
        return f"the status has to begin with {self.before[0]}, as the code {self.before} does, {self._found()}"

    def _behind(self) -> str:
        rest = self.line[self.column() - 1:]
        return f"expected a blank and a comment, or the end of the line, behind the text, found {_shown(rest)}"

    def _escape(self) -> str:
        at = self.column() - 1
        return f'expected \\" or \\n, which are the only escapes, found {_shown(self.line[at:at + 2])}'

    def _placeholder(self) -> str:
        name, brace, _ = self.line[self.column():].partition("}")
        if not brace:
            return 'expected a "}" behind the name of a placeholder, found the end of the text'
        guess = nearest(name, PLACEHOLDERS)
        meant = f"; did you mean {{{guess}}}?" if guess else f"; there are {', '.join(PLACEHOLDERS)}"
        return f"no placeholder has the name {_shown(name)}{meant}"

    def _header(self) -> str:
        text = self.line[self.quote + 1:]
        name = text.partition(":")[0]
        if name.lower().encode("latin-1") in RESERVED:
            return f"{name} is written by the mail server itself: take another header field"
        return 'expected a header field, as in "X-Reason: {reason}"'


def _still_to_come(verb: str, behind: "Sequence[str]") -> list[str]:
    """What an action may have behind the words that it has."""
    last = behind[-1]
    wanted = []
    if verb in CODES and last.count(".") < 2:
        has_code = len(behind) > 1 and last.isdigit() and len(last) == 3 and last[0] in CODES[verb]
        wanted.append("a status, as in 5.7.1" if has_code else "a code of three digits")
    if last == verb and verb in NUMBERED:
        wanted.insert(0, "a number")
    if last == verb == "defer":
        wanted.insert(0, "a percentage")
    return [*wanted, *([] if verb in ("accept", "tarpit") else ["a text in quotes"]), "the end of the line"]


PLAIN = {
    "long": f"expected a line of at most {LINE_MAX} characters",
    "open": "expected a closing quote, found the end of the line",
    "mixed": '"&" and "|" side by side want parentheses',
    "operator": 'expected "<", "<=", "=", ">=" or ">" behind the fact "{before}", {found}',
    "deep": f"more than {NESTING_MAX} parentheses within one another",
    "unclosed": 'expected ")", {found}',
    "unknown": 'expected "(" behind "unknown", {found}',
    "tarpit": "tarpit wants a number of seconds, {found}",
    "wordy": "{verb} wants a text in quotes, {found}",
    "wordless": "{verb} takes no text",
    "count": "expected a number of at most 20 digits, {found}",
    "stage-deferring": '{verb} takes no "@": it asks for the recipient',
    "stage-message": '{verb} takes no "@": it asks for a message',
    "percent-verb": "only defer takes a percentage, {found}",
    "percent": "expected a percentage of 0% to 100%, {found}",
    "either": "{word} may be a number or a code: give a code its status as well, or a number its code",
    "one-line": "the text of {verb} has one line",
}
"""What is said where nothing has to be looked up."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .vocabulary import Term
