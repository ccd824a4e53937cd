"""What a replay adds up to: changes by rule with examples, what cannot be decided, shadows, delays."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .replayed import Outcome
from .rerun import Line

EXAMPLES_MAX = 3
WAITED_MAX = 100_000
"""Minutes; what is more is as much."""


class Kind(NamedTuple):
    """What changes: first digits before and after, and the rule: the one that refuses now, or the one that did."""

    before: int
    after: int
    rule: str


class Example(NamedTuple):
    """A recipient who would be told something else; sender and recipient are None for a session without recipients."""

    identity: bytes
    ip: bytes
    sender: bytes | None
    recipient: bytes | None


@dataclass
class Count:
    """Recipients, the sessions that they are of, and the first of them."""

    recipients: int = 0
    sessions: int = 0
    examples: list[Example] = field(default_factory=list)


class Tally:
    """Adds session to session.

    sessions, recipients  that were read
    unchanged    recipients that would be told the same, and by_another of them by another rule
    undecidable  recipients, and sessions without any, of which the log does not say enough; missing: word: how many want it
    changes      kind: count, sessions without recipients among the sessions
    shadows      line: recipients that a "?" rule of the new file would have hit; logged: line: times that the log counts
    waited       minutes that greylisting kept messages: how many
    """

    def __init__(self) -> None:
        self.sessions = self.recipients = self.unchanged = self.by_another = 0
        self.undecidable = Count()
        self.missing: Counter[str] = Counter()
        self.changes: dict[Kind, Count] = {}
        self.shadows: Counter[int] = Counter()
        self.logged: Counter[int] = Counter()
        self.waited: Counter[int] = Counter()

    def add(self, last: Line, outcomes: list[Outcome]) -> None:
        """A session and what came of it."""
        self.sessions += 1
        seen: set[Kind] = set()
        undecided = False
        for outcome in outcomes:
            alone = not outcome.recipient
            self.recipients += not alone
            self.shadows.update(outcome.shadows)
            if outcome.after is None:
                self.undecidable.recipients += not alone
                self.missing.update(outcome.missing)
                undecided = True
            elif outcome.after.digit == outcome.before.digit:
                self.unchanged += not alone
                self.by_another += not alone and outcome.after != outcome.before
            else:
                self._change(last, outcome, seen)
        self.undecidable.sessions += undecided
        for word in last.get(b"shadow", b"").split(b",") if b"shadow" in last else ():
            line, _, times = word.partition(b":")
            self.logged[int(line)] += int(times)

    def add_wait(self, minutes: bytes) -> None:
        """The "waited" of a message line."""
        self.waited[min(int(minutes), WAITED_MAX)] += 1

    def _change(self, last: Line, outcome: Outcome, seen: set[Kind]) -> None:
        assert outcome.after is not None
        rule = outcome.before.rule if outcome.after.digit == 2 else outcome.after.rule
        kind = Kind(outcome.before.digit, outcome.after.digit, rule)
        count = self.changes.setdefault(kind, Count())
        alone = not outcome.recipient
        count.recipients += not alone
        count.sessions += kind not in seen
        seen.add(kind)
        if len(count.examples) < EXAMPLES_MAX:
            people = (None, None) if alone else (outcome.sender, outcome.recipient)
            count.examples.append(Example(last[b"id"], last.get(b"ip", b"unknown"), *people))

    def largest(self) -> Iterator[tuple[Kind, Count]]:
        """The changes, those of most recipients first."""
        yield from sorted(self.changes.items(), key=lambda each: (-each[1].recipients, -each[1].sessions, each[0]))

    def delays(self) -> tuple[int, int, int, int] | None:
        """Messages that greylisting kept, and in minutes: half of them at most, nine of ten at most, the longest."""
        total = sum(self.waited.values())
        return (total, self._at_most(total, 50), self._at_most(total, 90), max(self.waited)) if total else None

    def _at_most(self, total: int, percent: int) -> int:
        """The least number of minutes within which so many percent were."""
        so_far = 0
        for minutes in sorted(self.waited):
            so_far += self.waited[minutes]
            if so_far * 100 >= total * percent:
                break
        return minutes
