"""The queue of a process of one session: a program that is waited for."""

from ..qmail.queue import QueueRun


class BlockingQueue:
    """A Queue of QueueRuns."""

    def __init__(self, program: str, holding: str) -> None:
        """The two queue programs, by path from the working directory on: the usual one, and the one that holds messages."""
        self.number = 0
        self._program = program
        self._holding = holding
        self._run: QueueRun | None = None

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        """See Queue."""
        self._run = QueueRun(self._holding if hold else self._program, told)
        self.number = self._run.pid

    async def write(self, data: bytes) -> None:
        """See Queue."""
        assert self._run
        self._run.write(data)

    async def finish(self, sender: bytes, recipients: list[bytes]) -> "Outcome":
        """See Queue."""
        assert self._run
        run, self._run = self._run, None
        return run.finish(sender, recipients)

    async def abort(self) -> None:
        """See Queue."""
        run, self._run = self._run, None
        if run:
            run.abort()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..qmail.outcome import Outcome
