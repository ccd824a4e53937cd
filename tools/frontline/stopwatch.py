"""How long it took to find out about each word."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qsmtpd.config import Config

if TYPE_CHECKING:
    from qsmtpd.checks.base import Check, Findings, Lookups, Mail, Question


class Stopwatch:
    """Milliseconds by word.

    What several words asked the DNS together counts for each of them.
    """

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._together: list[str] = []

    def add(self, names: Sequence[str], seconds: float) -> None:
        """It took so long to ask for these."""
        for name in names:
            self.ms[name] = self.ms.get(name, 0.0) + seconds * 1000

    def about_to_ask(self, names: Sequence[str]) -> None:
        """The next question to the DNS is for these too."""
        self._together += names

    def together(self, seconds: float) -> None:
        """That question is answered."""
        self.add(self._together, seconds)
        self._together.clear()


class TimedConfig(Config):
    """A Config whose checks are timed.

    watch  to be set before the first check is asked for
    """

    watch: Stopwatch

    def check(self, name: str) -> "Check":
        """See Config; what qqshim finds in a message is unknown here."""
        return NotHere() if name == "content" else TimedCheck(super().check(name), self.watch)


class TimedCheck:
    """A check, whichever it is; constant as in base.Check."""

    def __init__(self, inner: "Check", watch: Stopwatch) -> None:
        self.constant: bool = getattr(inner, "constant", False)
        self._inner = inner
        self._watch = watch

    async def __call__(self, mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        began = time.monotonic()
        try:
            return await self._inner(mail, lookups, wanted)
        finally:
            self._watch.add(wanted, time.monotonic() - began)

    def questions(self, mail: "Mail", wanted: tuple[str, ...]) -> "Sequence[Question]":
        """See AsksDns."""
        self._watch.about_to_ask(wanted)
        found: Sequence[Question] = self._inner.questions(mail, wanted)  # type: ignore[attr-defined]  # who is asked has it
        return found


class NotHere:
    """Stands for the scanners."""

    async def __call__(self, mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """Nobody has looked."""
        return dict.fromkeys(wanted)
