"""Hand mail on to a queue program, as qmail-smtpd would: control/holdqnext, by default qmail-queue."""

from collections.abc import Iterator, Sequence
from itertools import islice

from qsmtpd.qmail.outcome import Outcome
from qsmtpd.qmail.queue import QueueRun

from ..heldfile import HeldFile, Recipient
from . import Result, Verdict

BATCH = 10_000
"""Recipients in one run of the program, so that memory does not grow with their number."""


class QueueTarget:
    """The target queue."""

    def __init__(self, program: str) -> None:
        self._program = program

    def deliver(self, identity: str, file: HeldFile, recipients: Iterator[Recipient]  # Target.deliver
                ) -> Iterator[tuple[Sequence[Recipient], Result]]:
        """One run for each batch of recipients."""
        while batch := list(islice(recipients, BATCH)):
            yield batch, self._run(file, batch)

    def _run(self, file: HeldFile, batch: list[Recipient]) -> Result:
        try:
            run = QueueRun(self._program)
        except OSError as error:
            return Result(Verdict.LATER, f"{self._program}: {error.strerror}")
        try:
            for piece in file.body():
                run.write(piece)
        except BaseException:
            run.abort()
            raise
        return result(run.finish(file.sender, [recipient.address for recipient in batch]), run.pid)


def result(outcome: Outcome, qp: int) -> Result:
    """What the program's outcome means for us."""
    if not outcome.code:
        return Result(Verdict.DELIVERED, qp=qp)
    why = " ".join((str(outcome.code), outcome.status, *outcome.lines))
    return Result(Verdict.FAILED if outcome.code >= 500 else Verdict.LATER, why, qp)
