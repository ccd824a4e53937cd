"""Where the messages of a session go: into the spool of holdq from this very process, or to a program; if there is room."""

import os

from ..qmail.control import Control
from .budget import AT_ONCE, Budget
from .committed import CommittedQueue, Spool
from .committer import Committer
from .spawned import Room, SpawnedQueue

PROGRAMS = 20
"""Queue programs at once; qmail's own concurrency is of this kind."""
HOLDS = b"holdq-queue"
"""The queue program whose work is done here, without it."""


class Queues:
    """What all sessions of a process share."""

    __slots__ = ("_arrivals", "_control", "_room", "_spool", "budget")

    def __init__(self, control: Control, budget: Budget, arrivals: "Arrivals | None" = None) -> None:
        """budget  for all messages on their way in
        arrivals   makes what writes into the spool of holdq; None: that is left to holdq-queue
        """
        self._control = control
        self.budget = budget
        self._arrivals = arrivals
        self._room = Room(PROGRAMS, budget)
        self._spool: Spool | None = None

    def queue(self, config: "SharedConfig", environment: "Surroundings", note: "Note") -> "Queue":
        """For one session.

        environment  gives that of its programs
        note         is told of what goes into the log
        """
        program = config.control.variable("QMAILQUEUE") or b"bin/qmail-queue"
        if self._arrivals is not None and program.rpartition(b"/")[2] == HOLDS:
            if self._spool is None:
                incoming = self._arrivals(self._control)
                self._spool = Spool(incoming, Committer(announce=incoming.poke), self.budget)
            return CommittedQueue(self._spool, note)
        return SpawnedQueue(self._room, os.fsdecode(program), os.fsdecode(config.holdqueue), environment, note)

    def close(self) -> None:
        """Nothing more is to come."""
        if self._spool is not None:
            self._spool.committer.close()


class CountedQueue:
    """The Queue of a session, made when it is needed; each message counts from its beginning to its end.

    under_way  there is one
    """

    __slots__ = ("_config", "_environment", "_fresh", "_ip", "_note", "_queue", "_queues", "number", "under_way")

    def __init__(
            self, queues: Queues, config: "SharedConfig", ip: bytes, environment: "Surroundings", note: "Note") -> None:
        """ip  the client's; the others as for Queues.queue()."""
        self.number = 0
        self._queues = queues
        self._config = config
        self._ip = ip
        self._environment = environment
        self._note = note
        self._queue: Queue | None = None
        self.under_way = self._fresh = False

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        """See Queue; FullError is an OSError."""
        self._queues.budget.begin(self._ip)
        self.under_way = self._fresh = True
        self._queues.budget.take(AT_ONCE)
        if self._queue is None:
            self._queue = self._queues.queue(self._config, self._environment, self._note)
        await self._queue.open(told, hold)
        self.number = self._queue.number

    async def write(self, data: bytes) -> None:
        """See Queue."""
        assert self._queue
        self._begun()
        await self._queue.write(data)

    async def finish(self, sender: bytes, recipients: list[bytes]) -> "Outcome":
        """See Queue."""
        assert self._queue
        try:
            return await self._queue.finish(sender, recipients)
        finally:
            self.number = self._queue.number
            self._end()

    async def abort(self) -> None:
        """See Queue."""
        if self._queue is not None:
            await self._queue.abort()
        self._end()

    def _begun(self) -> None:
        """From now on it is counted by who keeps it."""
        if self._fresh:
            self._fresh = False
            self._queues.budget.take(-AT_ONCE)

    def _end(self) -> None:
        self._begun()
        if self.under_way:
            self.under_way = False
            self._queues.budget.end(self._ip)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..qmail.logline import Pairs
    from ..qmail.outcome import Outcome
    from .committed import Incoming
    from .reception import Queue
    from .site import SharedConfig

    Arrivals = Callable[[Control], Incoming]
    Note = Callable[[str, Pairs], None]
    Surroundings = Callable[[], Mapping[bytes, bytes]]
