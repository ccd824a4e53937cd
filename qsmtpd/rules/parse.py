"""control/rules as text: one rule a line, an expression and an action.

    rule   = expr action
    expr   = and *("|" and)          ; "&" and "|" side by side want parentheses: anything else is an error
    and    = not *("&" not)
    not    = ["!"] atom
    atom   = TAG | FACT ("<"|"<="|"="|">="|">") (NUMBER|FACT) | "unknown(" TAG ")" | "any" | "(" expr ")"
    action = ["?"] VERB ["@" ("connect"|"helo"|"mail")] [NUMBER | PERCENT] [CODE [X.Y.Z]] ['"' TEXT '"']

This is read at the start of every session, so it only finds out that a line is wrong, and where.  What there is to say about
it, and the column, is the business of faults.py, which is imported then.
"""

from .expression import OPERATORS, And, Any, Compare, Not, Or, Tag, Unknown
from .rule import DEFERRING, VERBS, Action, Rule, Rules
from .text import PLACEHOLDERS
from .vocabulary import RCPT, STAGES

LINE_MAX = 1000
NESTING_MAX = 64
DIGITS_MAX = 20

SPOKEN = ("connect", "helo", "mail")
"""What may stand behind "@"."""
NUMBERED = ("throttle", "greylist", "tarpit")
"""The verbs that take a NUMBER."""
CODES = {"refuse": "5", "defer": "4", "throttle": "4", "greylist": "4", "close": "45"}
"""The verbs that take a CODE, and what it begins with; of close, 4 is 421."""
WORDLESS = ("accept", "tarpit")
"""The verbs that say nothing to anybody."""
OF_A_MESSAGE = ("quarantine", "discard")
"""The verbs that need a message, so they are not for "@"."""
ONE_LINE = ("header", "log")
"""The verbs that want a TEXT, of one line."""
RESERVED = (b"received", b"return-path", b"delivered-to")
"""Header fields that qmail writes, and follows."""

_ALLOWED = bytes([*b"\t\n", *range(0x20, 0x7F)])


class RuleError(ValueError):
    """A line that is no rule; str() is one line of printable ASCII.

    line, column  where, 1 for the first
    message       what was expected or is wrong, what was found, and perhaps what was meant
    """

    def __init__(self, line: int, column: int, message: str) -> None:
        message = message.replace("\t", " ")  # of a text, where a tab may stand
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column
        self.message = message


class Wrong(Exception):  # noqa: N818 - it never leaves this package
    """A line is wrong.

    why     a key of faults.py
    at      the number of the word, 0 for the first; TEXT when it is in the text
    offset  of the character in the text
    """

    def __init__(self, why: str, at: int = 0, offset: int = 0) -> None:
        super().__init__(why, at, offset)
        self.why = why
        self.at = at
        self.offset = offset


TEXT = -1


def parse(text: bytes, vocabulary: "Mapping[str, Term]") -> Rules:
    """The rules of a file.

    Raises:
        RuleError: the first line that is wrong.
    """
    rules = []
    try:
        if text.translate(None, _ALLOWED):
            raise Wrong("byte")
        number = 0
        for line in text.decode("ascii").split("\n"):
            number += 1  # noqa: SIM113 - enumerate() makes a tuple a line
            if line and line[0] != "#":
                rule = read_line(number, line, vocabulary)
                if rule is not None:
                    rules.append(rule)
    except Wrong:
        from .faults import faults  # noqa: PLC0415 - only now
        raise faults(text, vocabulary)[0] from None
    return Rules(rules)


def read_line(number: int, line: str, vocabulary: "Mapping[str, Term]") -> Rule | None:
    """The rule of a line of printable ASCII and tabs; None for an empty line and a comment.

    Raises:
        Wrong: it is not a rule.
    """
    if len(line) > LINE_MAX:
        raise Wrong("long")
    head, text = halves(line)
    words = tokens(head)
    if len(words) == 1 and text is None:
        return None
    reader = _Reader(words, vocabulary)
    expression = reader.expression(0)
    where = reader.at
    action = reader.action(text)
    rule = Rule(number, expression, action, vocabulary)
    if action.at is not None and action.at < rule.stage:
        raise Wrong("early", words.index("@", where))
    if rule.stage > RCPT and action.verb in DEFERRING:
        raise Wrong("late", where + action.shadow)
    return rule


def halves(line: str) -> tuple[str, str | None]:
    """What stands before the text, and the text as it stands between its quotes, or None; without the comment."""
    head, quote, rest = line.partition('"')
    if "#" in head:
        rule = _before_comment(head)
        if rule != head:
            return rule, None
    if not quote:
        return head, None
    end = rest.find('"')
    while end > 0 and rest[end - 1] == "\\":
        end = rest.find('"', end + 1)
    if end < 0:
        _check_text(rest)
        raise Wrong("open", TEXT, len(rest))
    behind = rest[end + 1:]
    if behind and _before_comment(behind).strip(" \t"):
        raise Wrong("behind", TEXT, end + 1)
    text = rest[:end]
    if "\\" in text or "{" in text:
        _check_text(text)
    return head, text


def _before_comment(part: str) -> str:
    """Up to a "#" after a blank.  One at the start of the line is for the caller to see."""
    return part.partition(" #")[0].partition("\t#")[0]


def _check_text(text: str) -> None:
    at = text.find("\\")
    while at >= 0:
        if text[at + 1:at + 2] not in ('"', "n"):
            raise Wrong("escape", TEXT, at)
        at = text.find("\\", at + 2)
    at = text.find("{")
    while at >= 0:
        end = text.find("}", at)
        if text[at + 1:end] not in PLACEHOLDERS or end < 0:
            raise Wrong("placeholder", TEXT, at)
        at = text.find("{", end)


def tokens(head: str) -> list[str]:
    """The words of what stands before the text, and a last one that is empty."""
    if "<" in head or ">" in head or "=" in head:
        head = head.replace("<", " < ").replace(">", " > ").replace("=", " = ")
        head = head.replace(" <  = ", " <= ").replace(" >  = ", " >= ")
    words = (head.replace("&", " & ").replace("|", " | ").replace("!", " ! ").replace("(", " ( ").replace(")", " ) ")
             .replace("?", " ? ").replace("@", " @ ").split())
    words.append("")
    return words


class _Reader:
    """The words of one line, read from left to right; `at` is the number of the next."""

    __slots__ = ("at", "vocabulary", "words")

    def __init__(self, words: list[str], vocabulary: "Mapping[str, Term]") -> None:
        self.at = 0
        self.words = words
        self.vocabulary = vocabulary

    def expression(self, depth: int) -> "Expression":
        """As far as it goes: to a ")", or to the action."""
        first = self._negated(depth)
        join = self.words[self.at]
        if join not in ("&", "|"):
            return first
        parts = [first]
        while self.words[self.at] == join:
            self.at += 1
            parts.append(self._negated(depth))
        if self.words[self.at] in ("&", "|"):
            raise Wrong("mixed", self.at)
        return And(tuple(parts)) if join == "&" else Or(tuple(parts))

    def _negated(self, depth: int) -> "Expression":
        if self.words[self.at] != "!":
            return self._atom(depth)
        self.at += 1
        return Not(self._atom(depth))

    def _atom(self, depth: int) -> "Expression":
        at = self.at
        word = self.words[at]
        self.at = at + 1
        term = self.vocabulary.get(word)
        if term is not None:
            return self._compared(word) if term.kind == "fact" else Tag(word)
        if word == "(":
            return self._inside(depth)
        if word == "any":
            return Any()
        if word == "unknown":
            return self._unknown()
        raise Wrong("operand", at)

    def _compared(self, fact: str) -> Compare:
        operator, other = self.words[self.at], self.words[self.at + 1:self.at + 2]
        if operator not in OPERATORS:
            raise Wrong("operator", self.at)
        self.at += 2
        term = self.vocabulary.get(other[0])
        if term is not None and term.kind == "fact":
            return Compare(fact, operator, other[0])
        number = as_number(other[0])
        if number is None:
            raise Wrong("number", self.at - 1)
        return Compare(fact, operator, number)

    def _inside(self, depth: int) -> "Expression":
        if depth >= NESTING_MAX:
            raise Wrong("deep", self.at - 1)
        expression = self.expression(depth + 1)
        if self.words[self.at] != ")":
            raise Wrong("unclosed", self.at)
        self.at += 1
        return expression

    def _unknown(self) -> Unknown:
        if self.words[self.at] != "(":
            raise Wrong("unknown", self.at)
        name = self.words[self.at + 1]
        term = self.vocabulary.get(name)
        if term is None or term.kind == "fact":
            raise Wrong("unknown-tag", self.at + 1)
        if self.words[self.at + 2] != ")":
            raise Wrong("unclosed", self.at + 2)
        self.at += 3
        return Unknown(name)

    def action(self, text: str | None) -> Action:
        """All that is left."""
        words = self.words
        shadow = words[self.at] == "?"
        if shadow:
            self.at += 1
        verb = words[self.at]
        if verb not in VERBS:
            raise Wrong("verb", self.at)
        self.at += 1
        action = Action(verb, shadow=shadow, text=text)
        if words[self.at]:
            self._details(action)
        if verb == "tarpit" and action.number is None:
            raise Wrong("tarpit", self.at)
        if verb in ONE_LINE:
            self._one_line(verb, text)
        elif text is not None and verb in WORDLESS:
            raise Wrong("wordless", TEXT, -1)
        return action

    def _details(self, action: Action) -> None:
        """Stage, number or percent, code, status."""
        words = self.words
        verb = action.verb
        if words[self.at] == "@":
            action.at = self._stage(verb)
        word = words[self.at]
        if word[-1:] == "%":
            action.percent = self._percent(verb, word)
        elif verb in NUMBERED and word and not self._is_code(verb, word):
            action.number = as_number(word)
            if action.number is None:
                raise Wrong("count", self.at)
            self.at += 1
        if words[self.at]:
            self._code(action)
        if words[self.at]:
            raise Wrong("extra", self.at)

    def _stage(self, verb: str) -> int:
        if verb in DEFERRING:
            raise Wrong("stage-deferring", self.at)
        if verb in OF_A_MESSAGE:
            raise Wrong("stage-message", self.at)
        if self.words[self.at + 1] not in SPOKEN:
            raise Wrong("stage", self.at + 1)
        self.at += 2
        return STAGES.index(self.words[self.at - 1])

    def _percent(self, verb: str, word: str) -> float:
        percent = as_number(word[:-1])
        if verb != "defer":
            raise Wrong("percent-verb", self.at)
        if percent is None or percent > 100:
            raise Wrong("percent", self.at)
        self.at += 1
        return percent

    def _is_code(self, verb: str, word: str) -> bool:
        """Of "greylist 451 4.7.1", 451 is the code; of "greylist 451 452" it is the minutes; "greylist 451" could be either."""
        if verb == "tarpit" or len(word) != 3 or word[0] not in "45" or not word.isdigit():
            return False
        following = self.words[self.at + 1]
        if not following:
            raise Wrong("either", self.at)
        return following.count(".") == 2

    def _code(self, action: Action) -> None:
        word = self.words[self.at]
        classes = CODES.get(action.verb)
        if classes is None or len(word) != 3 or not word.isdigit():
            raise Wrong("extra", self.at)
        if word[0] not in classes or (action.verb == "close" and word[0] == "4" and word != "421"):
            raise Wrong("code", self.at)
        action.code = int(word)
        self.at += 1
        status = self.words[self.at]
        if status:
            if not _is_status(status):
                raise Wrong("extra", self.at)
            if status[0] != word[0]:
                raise Wrong("class", self.at)
            action.status = status
            self.at += 1

    def _one_line(self, verb: str, text: str | None) -> None:
        if text is None:
            raise Wrong("wordy", self.at)
        if "\\n" in text:
            raise Wrong("one-line", TEXT, text.find("\\n"))
        if verb == "header":
            name, colon, _ = text.encode().partition(b":")
            if not colon or not name or any(byte in b' \t\\"{}' for byte in name) or name.lower() in RESERVED:
                raise Wrong("header", TEXT)


def as_number(word: str) -> float | None:
    """NUMBER: digits, and perhaps more behind a dot, at most 20 of them (A59); None for anything else."""
    whole, dot, fraction = word.partition(".")
    if not whole.isdigit() or len(word) - len(dot) > DIGITS_MAX:
        return None
    if not dot:
        return int(whole)
    if not fraction.isdigit():
        return None
    number = float(word)
    return int(number) if number.is_integer() else number


def _is_status(word: str) -> bool:
    """X.Y.Z of RFC 3463: a class and two numbers of at most three digits, without leading zeros."""
    parts = word.split(".")
    return len(parts) == 3 and len(parts[0]) == 1 and all(
        part.isdigit() and len(part) <= 3 and (len(part) == 1 or part[0] != "0") for part in parts)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .expression import Expression
    from .vocabulary import Term
