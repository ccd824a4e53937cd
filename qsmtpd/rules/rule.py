"""A rule as it was read: an expression, and what follows when it holds."""

from .expression import Compare
from .vocabulary import CONNECT, RCPT

DECIDING = ("accept", "refuse", "defer", "close", "quarantine", "discard")
"""The verbs that decide and end the reading."""
DEFERRING = ("throttle", "greylist")
"""Those that decide only when they defer; as "defer P%" does."""
NOTING = ("header", "tarpit", "hold", "log")
"""Those that take note, and the reading goes on."""
VERBS = DECIDING + DEFERRING + NOTING

SOFTENED = ("refuse", "close", "quarantine", "discard")
"""What becomes "defer" while an accept above is unknown: a refusal is never a fault of ours."""


class Action:
    """What follows.

    verb     one of VERBS
    shadow   it is only noted what it would do
    at       the stage of "@connect", "@helo", "@mail"; None when none is written: it is spoken at RCPT
    number   of throttle (recipients), tarpit (seconds), greylist (minutes); None when none is written
    percent  of "defer P%"; None when none is written
    code     the reply's code, 0 when none is written
    status   its enhanced status code (RFC 3463), "" when none is written
    text     the TEXT as it stands between the quotes, escapes and all, None when none is written; see text.py
    """

    __slots__ = ("at", "code", "number", "percent", "shadow", "status", "text", "verb")

    def __init__(
            self, verb: str, *, shadow: bool = False, at: int | None = None, number: float | None = None,
            percent: float | None = None, code: int = 0, status: str = "", text: str | None = None,
    ) -> None:
        self.verb = verb
        self.shadow = shadow
        self.at = at
        self.number = number
        self.percent = percent
        self.code = code
        self.status = status
        self.text = text


class Rule:
    """One line of control/rules.

    line        its number in the file, 1 for the first
    expression, action  as written
    names       the words of the expression, each as often as it stands there
    stage       from which stage on it can be decided: the latest of its names'
    spoken      the stage from which on the action takes place: RCPT, or as "@" says, or the rule's own stage when that is later
    condition   for verbs that decide only when they defer: what must hold besides; asked only when the expression holds
    lists       for a text with {lists}: the names of DNS lists in the expression, which are all asked, at once
    """

    __slots__ = ("action", "condition", "expression", "line", "lists", "names", "spoken", "stage")

    def __init__(self, line: int, expression: "Expression", action: Action, vocabulary: "Mapping[str, Term]") -> None:
        self.line = line
        self.expression = expression
        self.action = action
        self.condition = _condition(line, action)
        self.names = expression.names
        stages = [vocabulary[name].stage for name in self.names]
        stages.append(RCPT if action.verb in DEFERRING else CONNECT)
        self.stage = max(stages)
        self.spoken = max(RCPT if action.at is None else action.at, self.stage)
        self.lists: tuple[str, ...] = ()
        if action.text is not None and "{lists}" in action.text:
            self.lists = tuple([name for name in self.names if vocabulary[name].kind in ("dnsbl", "rhsbl")])


def draw(line: int) -> str:
    """The name under which the number that was drawn for a rule is known: from 0 to below 100."""
    return f"draw:{line}"


def drawn_for(name: str) -> int:
    """The line of such a name."""
    return int(name[5:])


def _condition(line: int, action: Action) -> "Compare | None":
    if action.verb == "throttle":
        return Compare("accepted", ">=", 1 if action.number is None else action.number)
    if action.verb == "greylist":
        return Compare("greylist-age", "<", "greylist-delay" if action.number is None else action.number)
    if action.percent is not None:
        return Compare(draw(line), "<", action.percent)
    return None


class Rules:
    """A whole file, ready to be read at each stage.

    rules  all of it, in order
    """

    __slots__ = ("_at", "_counted", "rules")

    def __init__(self, rules: "Sequence[Rule]") -> None:
        self.rules = tuple(rules)
        self._at: dict[int, tuple[Rule, ...]] = {}
        self._counted: tuple[str, ...] | None = None

    def at(self, stage: int) -> "tuple[Rule, ...]":
        """What is read at a stage: the rules that can be decided by then; before RCPT up to the last that speaks there."""
        found = self._at.get(stage)
        if found is None:
            found = self._at[stage] = self._readable(stage)
        return found

    def last_to_speak(self, stage: int) -> int:
        """The line of the last rule that speaks at a stage and is no shadow; 0 when none does."""
        return max([rule.line for rule in self.rules if rule.spoken == stage and not rule.action.shadow], default=0)

    def words(self, stage: int) -> tuple[str, ...]:
        """The words that stand in rules of a stage."""
        return tuple(dict.fromkeys([name for rule in self.rules if rule.stage == stage for name in rule.names]))

    def counted(self, counts: "Container[str]") -> tuple[str, ...]:
        """Those of some words, always the same, that any rule asks for, throttle its "accepted" among them."""
        if self._counted is None:
            asked = [name for rule in self.rules for name in rule.names]
            asked += [rule.condition.left for rule in self.rules if rule.condition is not None]
            self._counted = tuple(dict.fromkeys([name for name in asked if name in counts]))
        return self._counted

    def fields(self, stage: int = 0) -> tuple[bytes, ...]:
        """The names of the header fields that rules give, those that speak at the stage or later; a shadow gives none."""
        return tuple([
            (rule.action.text or "").partition(":")[0].encode() for rule in self.rules
            if rule.action.verb == "header" and not rule.action.shadow and rule.spoken >= stage])

    def _readable(self, stage: int) -> "tuple[Rule, ...]":
        rules = [rule for rule in self.rules if rule.stage <= stage]
        while stage < RCPT and rules and rules[-1].spoken != stage:
            rules.pop()
        return tuple(rules)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from .expression import Expression
    from .vocabulary import Term
