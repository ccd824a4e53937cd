"""What happens while the rules are read: every rule, what it asked, and what came of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsmtpd.checks.base import Mail
from qsmtpd.checks.counts import COUNTS
from qsmtpd.knowledge import Knowledge
from qsmtpd.rules import printer
from qsmtpd.rules.rule import Rule, Rules
from qsmtpd.rules.vocabulary import COSTS, RCPT, Term
from qsmtpd.ruling import Ruled, Ruling

from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from qsmtpd.ruling import Log

Value = bool | float | None


@dataclass
class Word:
    """A word of a rule, with its value when the rule was read.

    asked   it was this rule that asked for it; what was known before costs nothing
    cost    a word of COSTS
    ms      that the asking took
    reason  why it holds, b"" when nobody says
    """

    name: str
    value: Value
    asked: bool
    cost: str
    ms: float
    reason: bytes


@dataclass
class Seen:
    """A rule that was read: whether it holds (None: unknown), its words, and how long that took."""

    rule: Rule
    holds: bool | None
    words: list[Word]
    ms: float

    @property
    def text(self) -> str:
        return printer.line(self.rule)


@dataclass
class Reading:
    """One reading of the rules.

    stage      a number of vocabulary.STAGES
    recipient  for whom, b"" for nobody
    seen       the rules that were read, in order
    later      those that need something of a later stage
    unread     those below the one that decided
    ruled      what came of it
    """

    stage: int
    recipient: bytes
    later: list[Rule]
    seen: list[Seen] = field(default_factory=list)
    unread: list[Rule] = field(default_factory=list)
    ruled: Ruled | None = None


class Witness(Ruling):
    """A Ruling that remembers its readings."""

    __slots__ = ("_before", "_knowledge_of", "_of_session", "_since", "_untold", "_vocabulary", "_watch", "_whole", "readings")

    def __init__(
            self, rules: Rules, mail: Mail, knowledge: Knowledge, log: "Log", *, vocabulary: Mapping[str, Term],
            watch: Stopwatch,
    ) -> None:
        super().__init__(rules, mail, knowledge, log, self._saw)
        self._whole = rules
        self._of_session = mail
        self._knowledge_of = knowledge
        self._vocabulary = vocabulary
        self._watch = watch
        self._before: set[str] = set()
        self._untold: set[str] = set()
        self._since = 0.0
        self.readings: list[Reading] = []

    async def at(self, stage: int) -> Ruled:
        """See Ruling."""
        reading = Reading(stage, self._of_session.recipient, [rule for rule in self._whole.rules if rule.stage > stage])
        self.readings.append(reading)
        # What is counted for each recipient is there before any rule asks, and is told with the first that does.
        self._untold = set(COUNTS) if stage == RCPT else set()
        self._before = set(self._knowledge_of.values) - self._untold
        self._since = time.monotonic()
        reading.ruled = await super().at(stage)
        reading.unread = list(self._whole.at(stage)[len(reading.seen):])
        return reading.ruled

    def _saw(self, rule: Rule, holds: bool | None) -> None:
        """The trace of evaluate.read()."""
        now = time.monotonic()
        words = [self._word(name) for name in _names(rule) if name in self._knowledge_of.values]
        self.readings[-1].seen.append(Seen(rule, holds, words, (now - self._since) * 1000))
        self._untold.difference_update(_names(rule))
        self._before = set(self._knowledge_of.values) - self._untold
        self._since = time.monotonic()

    def _word(self, name: str) -> Word:
        asked = name not in self._before
        value = self._knowledge_of.values[name]
        reason = self._of_session.reasons.get(name, b"") if value is not False and value is not None else b""
        cost = COSTS[self._vocabulary[name].cost] if name in self._vocabulary else "drawn"
        return Word(name, value, asked, cost, self._watch.ms.get(name, 0.0) if asked else 0.0, reason)


def _names(rule: Rule) -> tuple[str, ...]:
    """All that it may ask for, each once."""
    condition = rule.condition.names if rule.condition is not None else ()
    return tuple(dict.fromkeys([*rule.names, *rule.lists, *condition]))
