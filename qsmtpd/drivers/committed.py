"""A Queue that writes into a spool in this very process, for many sessions at once: no program is started, 250 means durable.

Nothing that waits for a disk runs on the loop.  A message is gathered in memory, a large one goes to its file piece by piece;
the threads of a Committer write.
"""

import asyncio
import posix
import time

from ..qmail import envelope
from ..qmail.envelope import EnvelopeError
from ..qmail.exitcodes import INTERNAL_BUG, OUT_OF_MEMORY, QUEUED, TIMEOUT, WRITE_ERROR
from ..qmail.outcome import Outcome, from_exit_code
from .budget import Budget
from .committer import Job
from .deadline import within

MEMORY_MAX = 262144
"""Bytes of a message that are kept in memory; with one more all of it goes to its file."""
PATIENCE = 120.0
"""Seconds for the disk to take a message, or a piece of it."""
COUNTED = 1000


class Spool:
    """What the sessions of a process share.

    committer  its threads
    arrive     begins a message
    budget     for what waits in memory
    patience   seconds for the disk
    """

    __slots__ = ("_count", "arrive", "budget", "committer", "patience")

    def __init__(self, arrive: "Arrive", committer: "Committer", budget: Budget, patience: float = PATIENCE) -> None:
        self.arrive = arrive
        self.committer = committer
        self.budget = budget
        self.patience = patience
        self._count = -1

    def number(self) -> int:
        """A number that no other message of these days has: our process id, and three digits that count."""
        self._count = (self._count + 1) % COUNTED
        return posix.getpid() * COUNTED + self._count


class Message:
    """One on its way to the disk.  The loop calls keep(), a thread, one at a time, all that works on the file.

    number   stands in the Received field and in the log
    pieces   what waits in memory
    arrival  the file, once it is begun, until it is accepted or given up
    why      what went wrong
    """

    __slots__ = ("arrival", "held", "identity", "number", "pieces", "size", "spool", "started", "why")

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.number = spool.number()
        self.pieces: list[bytes] = []
        self.arrival: Arrival | None = None
        self.started = time.time()
        self.held = self.size = 0
        self.identity = self.why = ""

    def keep(self, data: bytes) -> bool:
        """Take a piece; False when there are too many in memory."""
        self.pieces.append(data)
        self.held += len(data)
        self.spool.budget.take(len(data))
        return self.held <= MEMORY_MAX and not self.spool.budget.spills and self.arrival is None

    def forget(self) -> None:
        """What was in memory is there no more; on the loop."""
        self.spool.budget.take(-self.held)
        self.held = 0

    def write(self) -> "Arrival":
        """Write what is in memory; errors as of holdq's Arrival."""
        if self.arrival is None:
            self.arrival = self.spool.arrive(self.number, self.started)
        data = b"".join(self.pieces)
        self.pieces.clear()
        self.arrival.message(data)
        return self.arrival

    def drop(self) -> None:
        """It is not wanted any more, unless it is accepted already."""
        arrival, self.arrival = self.arrival, None
        self.pieces.clear()
        if arrival is not None:
            arrival.discard()


class Write(Job):
    """Write what is in memory; after a failure nothing of the message is left."""

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        super().__init__()
        self._message = message

    def do(self) -> None:
        """See Job."""
        try:
            self._work(self._message)
        except BaseException as error:
            self._fail(error)

    def _work(self, message: Message) -> None:
        message.write()

    def _fail(self, error: BaseException) -> None:
        self.directory = ""
        self.code = _exit_code(error)
        self._message.why = f"{type(error).__name__}: {error}"
        self._message.drop()


class Commit(Write):
    """Write the rest and the envelope, and give it to the runner."""

    __slots__ = ("_envelope",)

    def __init__(self, message: Message, text: bytes) -> None:
        super().__init__(message)
        self._envelope = text

    def _work(self, message: Message) -> None:
        arrival = message.write()
        arrival.envelope(self._envelope)
        arrival.place(self._note)
        message.identity, message.size = arrival.identity, arrival.size

    def _note(self, directory: str) -> None:
        self.directory = directory

    def settle(self, failure: BaseException | None) -> None:
        """See Job."""
        message = self._message
        if failure is not None:
            self._fail(failure)
        elif message.arrival is not None:
            message.arrival.give()
            message.arrival = None


class Drop(Write):
    """Give up what is on the disk."""

    __slots__ = ()

    def _work(self, message: Message) -> None:
        message.drop()


def _exit_code(error: BaseException) -> int:
    if isinstance(error, EnvelopeError):
        return error.exit_code
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    return WRITE_ERROR if isinstance(error, OSError) else INTERNAL_BUG


class CommittedQueue:
    """A Queue of Messages, for one session."""

    __slots__ = ("_code", "_message", "_note", "_opened", "_spool", "_work", "number")

    def __init__(self, spool: Spool, note: "Note") -> None:
        """note  is told what was held, and what went wrong with us."""
        self.number = 0
        self._spool = spool
        self._note = note
        self._message: Message | None = None
        self._work: asyncio.Future[int] | None = None
        self._code = QUEUED
        self._opened = 0.0

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        """See Queue.  There is no program to tell anything."""
        self._message = Message(self._spool)
        self._work = None
        self._code = QUEUED
        self._opened = time.monotonic()
        self.number = self._message.number

    async def write(self, data: bytes) -> None:
        """See Queue."""
        message = self._message
        if message is None or self._code or message.keep(data):
            return
        if self._spool.budget.overdrawn:
            self._code = OUT_OF_MEMORY
            message.why = "no memory for more of all messages"
            self._complain(message)
            self._message = None
            self._give_up(message)
        else:
            await self._wait_for(message, Write(message))

    async def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome:
        """See Queue."""
        message, self._message = self._message, None
        if message is None:
            return from_exit_code(self._code, b"")
        try:
            text = envelope.build(sender, recipients)
        except EnvelopeError as error:
            self._give_up(message)
            return from_exit_code(error.exit_code, b"")
        if not self._code:
            await self._wait_for(message, Commit(message, text))
        if self._code:
            return from_exit_code(self._code, b"")
        self._note("hold", [
            ("id", message.identity.encode()), ("hold", self.number), ("from", sender), ("to", recipients[0]),
            ("rcpts", len(recipients)), ("size", message.size), ("ms", int((time.monotonic() - self._opened) * 1000))])
        return Outcome(0, "2.0.0", ())

    async def abort(self) -> None:
        """See Queue."""
        message, self._message = self._message, None
        if message:
            self._give_up(message)

    async def _wait_for(self, message: Message, job: Job) -> None:
        """Have a thread do it.  When the disk takes too long, what is there is dropped as soon as that has come to an end."""
        self._work = self._spool.committer.run(job)
        self._work.add_done_callback(lambda _: message.forget())
        try:
            self._code = await within(self._spool.patience, self._work)
        except TimeoutError:
            self._code = TIMEOUT
            message.why = f"the disk has not taken it within {self._spool.patience:.0f} s"
            self._give_up(message)
        if self._code:
            self._complain(message)

    def _complain(self, message: Message) -> None:
        self._note("fault", [("hold", self.number), ("code", self._code), ("why", message.why.encode("utf-8", "replace"))])

    def _give_up(self, message: Message) -> None:
        if self._work is not None and not self._work.done():
            self._work.add_done_callback(lambda _: self._drop(message))
        else:
            self._drop(message)

    def _drop(self, message: Message) -> None:
        if message.arrival is not None:
            self._spool.committer.run(Drop(message))
        message.forget()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..qmail.durable import Sync
    from ..qmail.logline import Pairs
    from .committer import Committer

    Note = Callable[[str, Pairs], None]

    class Arrival(Protocol):
        """A message on its way into the spool: holdq.incoming.Arrival."""

        identity: str
        size: int

        def message(self, data: bytes) -> None: ...
        def envelope(self, data: bytes) -> bool: ...
        def place(self, sync: Sync) -> None: ...
        def give(self) -> None: ...
        def discard(self) -> None: ...

    class Arrive(Protocol):
        """Begins one, under a number, at a time."""

        def __call__(self, number: int, now: float) -> Arrival: ...

    class Incoming(Arrive, Protocol):
        """The way into a spool, and to its runner: holdq.arrivals.Arrivals."""

        def poke(self) -> None: ...
