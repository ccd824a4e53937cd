"""What is known of a session by now, and how more is found out: each check at most once for what it is about.

What was learned of the connection lasts for the session; of HELO, MAIL or RCPT, until the next of them.
"""

from .checks.base import LookupFailedError
from .checks.counts import COUNTS, NEVER, VALUES
from .rules.rule import drawn_for
from .rules.vocabulary import CONNECT, DNS, MESSAGE, RCPT, STAGES
from .rules.words import written

OF_ONE_RECIPIENT = ("not-addressed",)
"""The words of the message stage that are about a recipient, too."""


class Knowledge:
    """The values of the words of the rules.

    values  name: True, False, None for unknown, or a number.  What was not asked is not there
    fresh   names that were found out, and are not in the log yet
    """

    __slots__ = (
        "_checks", "_counted", "_learned", "_limits", "_lookups", "_mail", "_make", "_of_recipient", "_varying", "_vocabulary",
        "fresh", "values")

    def __init__(
            self, mail: "Mail", lookups: "Lookups", vocabulary: "Mapping[str, Term]", limits: "Limits",
            make: "Callable[[str], Check]",
    ) -> None:
        self.values: dict[str, bool | float | None] = {}
        self._mail = mail
        self._lookups = lookups
        self._vocabulary = vocabulary
        self._limits = limits
        self._make = make
        self._checks: dict[str, Check] = {}
        self._counted: tuple[str, ...] = ()
        self._varying: list[str] = []
        self._learned: list[list[str] | None] = [None] * len(STAGES)
        self.fresh: list[str] = []
        self._of_recipient = False

    def forget(self, stage: int) -> None:
        """The stage begins anew: what was learned from there on is no longer true."""
        for names in self._learned[stage:]:
            if names:
                for name in names:
                    del self.values[name]
                names.clear()
        if stage < RCPT:
            for name in self._counted:
                self.values.pop(name, None)
            self._counted = ()

    def learned(self, stage: int) -> "dict[str, bool | float | None]":
        """What was learned of one stage."""
        names = self._learned[stage] or ()
        return {name: self.values[name] for name in (names if stage != RCPT else (*self._counted, *names))}

    def news(self) -> "tuple[bytes | None, bytes | None]":
        """What was found out since this was last asked, for the log: words that hold, and all others with their values."""
        values = {name: self.values[name] for name in self.fresh if name in self.values}
        self.fresh.clear()
        return for_log(values)

    def of_session(self) -> "tuple[bytes | None, bytes | None]":
        """As news(), all that is known of the session up to its last MAIL."""
        return for_log({name: self.values[name] for names in self._learned[:RCPT] for name in names or ()})

    def restore(self, of_recipient: "Mapping[str, bool | float | None]") -> None:
        """Know again what was learned of a recipient, who is in hand again; of the message only what is his is forgotten."""
        for name in self._learned[RCPT] or ():
            del self.values[name]
        self._learned[RCPT] = None
        for name, value in of_recipient.items():
            self._know(RCPT, name, value)
        self.drop(MESSAGE, OF_ONE_RECIPIENT)

    def drop(self, stage: int, names: tuple[str, ...]) -> None:
        """Forget these words of a stage."""
        learned = self._learned[stage] or []
        for name in names:
            if name in learned:
                del self.values[name]
                learned.remove(name)

    def begin(self, names: tuple[str, ...]) -> None:
        """A transaction begins: know these words of checks/counts.py about each recipient of it, as count() finds them."""
        mail, limits = self._mail, self._limits
        never = [name for name in names if name in NEVER and NEVER[name](mail, limits)]
        self.values.update(dict.fromkeys(never, False))
        self._counted = names
        self._varying = [name for name in names if name not in never]

    def count(self) -> None:
        """There is a recipient: what was learned of the one before is no longer true."""
        values, mail, limits = self.values, self._mail, self._limits
        if self._of_recipient:
            self.forget(RCPT)
            self._of_recipient = False
        for name in self._varying:
            values[name] = COUNTS[name](mail, limits)

    async def ask(self, names: tuple[str, ...]) -> None:
        """Find out about those of the names that are not known and cheapest to ask."""
        wanted = [name for name in names if name not in self.values]
        if not self._at_hand(wanted) and wanted:
            cost, of_check = self._cheapest(wanted)
            if cost == DNS:
                await self._prefetch(of_check)
            for check, asked in of_check.items():
                await self._ask_one(check, asked)

    async def ask_all(self, names: tuple[str, ...]) -> None:
        """Find out about every one of them."""
        while any(name not in self.values for name in names):
            await self.ask(names)

    async def tell(self, code: int) -> None:
        """Let the checks that remember know with which code a message was answered."""
        for check in self._checks.values():
            learn: Callable[[Mail, Lookups, int], Awaitable[None]] | None = getattr(check, "learn", None)
            if learn is not None:
                try:
                    await learn(self._mail, self._lookups, code)
                except LookupFailedError as error:
                    self._lookups.note(str(error).encode("ascii", "replace"))

    def _at_hand(self, names: list[str]) -> bool:
        """Whether one of them at least costs nothing to know."""
        found = False
        for name in names:
            value_of = VALUES.get(name)
            if value_of is not None:
                self._know(self._vocabulary[name].stage, name, value_of(self._mail, self._limits))
            elif name not in self._vocabulary:
                self._know(CONNECT, name, _as_logged(self._lookups.draw(drawn_for(name))))
                self.fresh.append(name)
            else:
                continue
            found = True
        return found

    def _cheapest(self, wanted: list[str]) -> tuple[int, dict[str, tuple[str, ...]]]:
        """The least that one of the names costs, and those that cost no more, by their checks."""
        least = self._vocabulary[wanted[0]].cost
        of_check: dict[str, tuple[str, ...]] = {}
        for name in wanted:
            term = self._vocabulary[name]
            if term.cost < least:
                least, of_check = term.cost, {}
            if term.cost == least:
                of_check[term.check] = (*of_check.get(term.check, ()), name)
        return least, of_check

    async def _prefetch(self, of_check: dict[str, tuple[str, ...]]) -> None:
        questions: list[Question] = []
        for name, names in of_check.items():
            check: AsksDns = self._check(name)  # type: ignore[assignment]  # what costs a look-up in the DNS has questions()
            questions += check.questions(self._mail, names)
        await self._lookups.dns.prefetch(questions)

    async def _ask_one(self, check: str, names: tuple[str, ...]) -> None:
        asked = self._check(check)
        try:
            found = await asked(self._mail, self._lookups, names)
        except LookupFailedError as error:
            self._lookups.note(f"{check}: {error}".encode("ascii", "replace"))
            found = {}
        lasts = getattr(asked, "constant", False)
        for name in (*names, *found):
            if name not in self.values:
                self._know(CONNECT if lasts else self._vocabulary[name].stage, name, _as_logged(found.get(name)))
                self.fresh.append(name)

    def _check(self, name: str) -> "Check":
        if name not in self._checks:
            self._checks[name] = self._make(name)
        return self._checks[name]

    def _know(self, stage: int, name: str, value: bool | float | None) -> None:
        if stage >= RCPT:
            self._of_recipient = True
        if name not in self.values:
            learned = self._learned[stage]
            if learned is None:
                self._learned[stage] = [name]
            else:
                learned.append(name)
        self.values[name] = value


def _as_logged(value: bool | float | None) -> bool | float | None:
    """A number with the digits that the log has of it: so the rules read in the log what they read in the session."""
    return float(f"{value:.6g}") if value.__class__ is float else value


def for_log(values: "Mapping[str, bool | float | None]") -> "tuple[bytes | None, bytes | None]":
    """The words that hold, and all others with their values; None for none."""
    if not values:
        return None, None
    held = {name: value for name, value in values.items() if value is True}
    others = {name: value for name, value in values.items() if value is not True}
    return written(held) or None, written(others) or None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .checks.base import AsksDns, Check, Lookups, Mail, Question
    from .checks.counts import Limits
    from .rules.vocabulary import Term
