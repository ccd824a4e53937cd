"""One attempt at one message: S3 to S4, and from there to S0, S3 or S5 (INTERNALS.md section 5)."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from . import schedule
from .escape import escape
from .heldfile import DONE, FAILED, TO_DO, HeldFile, Recipient
from .names import Held
from .store import Store
from .targets import Result, Target, Verdict

Log = Callable[[str, Iterable[tuple[str, bytes | int | None]]], None]
REASONS_MAX = 100
"""How many reasons of an attempt are kept, a line each."""
_GONE = f"{Verdict.FAILED.value} "


class Attempt(NamedTuple):
    """What an attempt needs.

    lifetime  seconds after which a message is given up
    log       is given the event and the pairs of each line
    """

    store: Store
    target: Target
    lifetime: int
    log: Log

    def run(self, held: Held, now: float) -> Held | None:
        """Try it once; returns it as it waits now, or None when it has left hold/.

        Raises:
            FileNotFoundError, BusyError, OddError: as HeldFile(); nothing was done.
            OSError: trouble with the disk; the attempt is recorded as one without end, or not at all.
        """
        with self.store.open(held) as file:
            if schedule.poisonous(held):
                self._bury(held, file, [f"killed the runner {held.crashes} times"])
                return None
            why = "hand" if held.released else "retry" if held.attempts else "new"
            tally = _Tally(file.counts(), self.store.why(held.identity))
            held = self.store.begin(held)
            try:
                self._deliver(held, file, why, tally)
                return self._settle(held, file, tally, now)
            except OSError as error:  # the disk's fault, not the message's: it must not look like one that kills us
                self.log("fault", (("id", held.identity.encode()), ("why", str(error).encode("ascii", "backslashreplace"))))
                return self.store.postpone(held, int(now) + schedule.delay(held.attempts))

    def _deliver(self, held: Held, file: HeldFile, why: str, tally: "_Tally") -> None:
        left = tally.left
        to_do = (recipient for recipient in file.recipients() if recipient.mark == TO_DO)
        started = time.monotonic()
        for recipients, result in self.target.deliver(held.identity, file, to_do):
            # The last mark can be left out when the file is about to go; one in dead/ must say who has it.
            if result.verdict is Verdict.DELIVERED and (len(recipients) < left or tally.failed):
                file.mark([recipient.offset for recipient in recipients], DONE)
            tally.add(recipients, result)
            if result.verdict is Verdict.DELIVERED:
                self._log_delivered(held, file, recipients, result, (why, started))

    def _settle(self, held: Held, file: HeldFile, tally: "_Tally", now: float) -> Held | None:
        if tally.later and not schedule.expired(held, self.lifetime, now):
            due = int(now) + schedule.delay(held.attempts)
            self._keep(held, file, tally, "hold", due)
            return self.store.postpone(held, due)
        if tally.later:
            tally.reasons.append(f"given up after {held.attempts} attempts in {int(now) - held.arrival} s")
        if tally.later or tally.failed:
            self._keep(held, file, tally, "dead", None)
            self.store.bury(held)
        else:
            self.store.finish(held)
        return None

    def _keep(self, held: Held, file: HeldFile, tally: "_Tally", event: str, due: int | None) -> None:
        """Reasons first, then marks: a recipient that is marked as failed has its reason on the disk."""
        self.store.tell_why(held.identity, "\n".join(tally.reasons) + "\n")
        file.mark(tally.offsets, FAILED)
        self._log_kept(event, held, file, due, tally.reasons)

    def _bury(self, held: Held, file: HeldFile, reasons: list[str]) -> None:
        self.store.tell_why(held.identity, "\n".join(reasons) + "\n")
        self._log_kept("dead", held, file, None, reasons)
        self.store.bury(held)

    def _log_delivered(self, held: Held, file: HeldFile, recipients: Sequence[Recipient], result: Result,
                       context: tuple[str, float]) -> None:
        why, started = context
        self.log("release", (
            ("id", held.identity.encode()), ("hold", file.trailer.pid), ("qp", result.qp), ("why", why.encode()),
            ("from", file.sender), ("to", recipients[0].address), ("rcpts", len(recipients)), ("size", file.trailer.message),
            ("attempt", held.attempts), ("ms", int((time.monotonic() - started) * 1000))))

    def _log_kept(self, event: str, held: Held, file: HeldFile, until: int | None, reasons: list[str]) -> None:
        self.log(event, (
            ("id", held.identity.encode()), ("hold", file.trailer.pid), ("from", file.sender),
            ("attempt", held.attempts), ("until", until), ("why", reasons[-1].encode("ascii", "backslashreplace"))))


class _Tally:
    """What came of the recipients so far.

    left     how many were to be tried
    later    how many are to be tried again
    failed   how many have failed for good, in all attempts
    offsets  of those that failed now
    reasons  a line each, those of former attempts that still hold first
    """

    def __init__(self, counts: dict[bytes, int], why: str) -> None:
        self.left = counts[TO_DO]
        self.later = 0
        self.failed = counts[FAILED]
        self.offsets: list[int] = []
        self.reasons = [line for line in why.split("\n") if line.startswith(_GONE)] if self.failed else []
        if self.failed and not self.reasons:
            self.reasons.append(f"{_GONE}in a former attempt: the reason is lost")

    def add(self, recipients: Sequence[Recipient], result: Result) -> None:
        if result.verdict is Verdict.DELIVERED:
            return
        if result.verdict is Verdict.FAILED:
            self.failed += len(recipients)
            self.offsets += [recipient.offset for recipient in recipients]
        else:
            self.later += len(recipients)
        if len(self.reasons) < REASONS_MAX:
            others = f" and {len(recipients) - 1} others" if len(recipients) > 1 else ""
            said = escape(result.why.encode("utf-8", "surrogateescape"))
            self.reasons.append(f"{result.verdict.value} {escape(recipients[0].address)}{others}: {said}")
