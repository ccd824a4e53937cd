"""One reading of the rules: from the top, with what is known, until one decides.

It is a coroutine that awaits nothing but the asking, so it serves whoever looks up at once and whoever waits.
"""

from .expression import Tag
from .rule import DECIDING, SOFTENED, Rule, Rules


class Reading:
    """What came of it.

    rule     the rule that decided; None when the end of the file was reached: accept
    verb     what it decided: "accept", "refuse", "defer", "close", "quarantine" or "discard".  "refuse" and its kin are "defer"
             when an accept above was unknown
    notes    rules that hold and decide nothing: header, tarpit, hold, log
    shadows  rules with "?" that hold
    """

    __slots__ = ("notes", "rule", "shadows", "verb")

    def __init__(self) -> None:
        self.rule: Rule | None = None
        self.verb = "accept"
        self.notes: list[Rule] = []
        self.shadows: list[Rule] = []


def read(
        rules: Rules, stage: int, known: "Known", ask: "Ask", trace: "Trace | None" = None) -> "Coroutine[None, None, Reading]":
    """Read the rules as far as they concern the stage; see read_some()."""
    return read_some(rules.at(stage), known, ask, trace)


async def read_some(rules: "Iterable[Rule]", known: "Known", ask: "Ask", trace: "Trace | None" = None) -> Reading:
    """Read these rules, in their order.

    known  names and their values; whatever ask() finds out is found in it afterwards
    ask    given the names that may decide the rule in hand, it finds out about one of them at least
    trace  is told of every rule that was read, and whether it holds: True, False or None
    """
    reading = Reading()
    unsure = False
    for rule in rules:
        value = rule.expression.value(known)
        if value.__class__ is tuple or (value is True and (rule.condition is not None or rule.lists)):
            value = await _value(rule, value, known, ask)
        if trace is not None:
            trace(rule, value)  # type: ignore[arg-type]  # nothing is missing any more
        verb = rule.action.verb
        if value is not True:
            if value is None and verb == "accept" and not rule.action.shadow:
                unsure = True
        elif rule.action.shadow:
            reading.shadows.append(rule)
        elif rule.condition is not None:
            reading.rule, reading.verb = rule, "defer"
            break
        elif verb in DECIDING:
            reading.rule, reading.verb = rule, "defer" if unsure and verb in SOFTENED else verb
            break
        else:
            reading.notes.append(rule)
    return reading


def none_holds(rules: "Iterable[Rule]", known: "Known") -> bool:
    """Whether a reading of these rules would come to nothing, without asking anything."""
    for rule in rules:  # noqa: SIM110 - for each recipient; all() would make a generator
        if rule.expression.value(known) is not False:
            return False
    return True


def still_open(rules: "Iterable[Rule]", stage: int, known: "Known") -> tuple[Rule, ...]:
    """What is to be read again while what was learned before the stage stays: not the rules that do not hold by that."""
    return tuple([rule for rule in rules if rule.stage >= stage or rule.expression.value(known) is not False])


def only_words(rules: tuple[Rule, ...]) -> tuple[str, ...] | None:
    """The words that these rules are, when each is one word and no more; then none holds while all words are False."""
    words = tuple([rule.expression.name for rule in rules if isinstance(rule.expression, Tag)])
    return words if len(words) == len(rules) else None


async def _value(rule: Rule, value: "Value", known: "Known", ask: "Ask") -> bool | None:
    """Whether a rule holds whose expression has this value so far; its condition is only asked for when its expression does."""
    while value.__class__ is tuple:
        await ask(value + rule.lists)
        value = rule.expression.value(known)
    if value is True and rule.lists:
        await ask(rule.lists)
    if value is True and rule.condition is not None:
        value = rule.condition.value(known)
        while value.__class__ is tuple:
            await ask(value)
            value = rule.condition.value(known)
    return value  # type: ignore[return-value]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from .expression import Known, Value

    Ask = Callable[[tuple[str, ...]], Awaitable[None]]
    Trace = Callable[[Rule, bool | None], None]
