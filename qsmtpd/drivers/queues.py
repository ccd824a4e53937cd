"""Where the messages of a session go: into the spool of holdq from this very process, or to a program."""

import os

from ..qmail.control import Control
from .committed import CommittedQueue, Spool
from .committer import Committer
from .spawned import Room, SpawnedQueue

PROGRAMS = 20
"""Queue programs at once; qmail's own concurrency is of this kind."""
HOLDS = b"holdq-queue"
"""The queue program whose work is done here, without it."""


class Queues:
    """What all sessions of a process share."""

    __slots__ = ("_arrivals", "_control", "_room", "_spool")

    def __init__(self, control: Control, arrivals: "Arrivals | None" = None) -> None:
        """arrivals  makes what writes into the spool of holdq; None: that is left to holdq-queue."""
        self._control = control
        self._arrivals = arrivals
        self._room = Room(PROGRAMS)
        self._spool: Spool | None = None

    def queue(self, config: "SharedConfig", environment: "Surroundings", note: "Note") -> "Queue":
        """For one session.

        environment  gives that of its programs
        note         is told of what goes into the log
        """
        program = config.control.variable("QMAILQUEUE") or b"bin/qmail-queue"
        if self._arrivals is not None and program.rpartition(b"/")[2] == HOLDS:
            if self._spool is None:
                self._spool = Spool(self._arrivals(self._control), Committer())
            return CommittedQueue(self._spool, note)
        return SpawnedQueue(self._room, os.fsdecode(program), os.fsdecode(config.holdqueue), environment, note)

    def close(self) -> None:
        """Nothing more is to come."""
        if self._spool is not None:
            self._spool.committer.close()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..qmail.logline import Pairs
    from .committed import Arrive
    from .conversation import Queue
    from .site import SharedConfig

    Arrivals = Callable[[Control], Arrive]
    Note = Callable[[str, Pairs], None]
    Surroundings = Callable[[], Mapping[bytes, bytes]]
