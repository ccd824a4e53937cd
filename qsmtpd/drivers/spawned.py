"""A Queue of QMAILQUEUE programs in a process of many sessions: none of them waits for another's program.

A program is started when its message is whole, so a client that sends a byte a minute holds no process, and the few that may
run at once are busy with work.  The others wait for one to end, up to a deadline.  Its pipes and its end are the loop's.
"""

import asyncio
import posix
import time
from collections import deque

from ..qmail import envelope
from ..qmail.exitcodes import EXEC_FAILED, OUT_OF_MEMORY, QUEUED, WRITE_ERROR
from ..qmail.outcome import from_exit_code, temporary
from ..qmail.queue import FAREWELL, QueueProgram
from .budget import Budget
from .deadline import within
from .spool import Spool, SpoolError

PATIENCE = 60.0
"""Seconds for a message to wait until a program may be started for it."""
BUSY = ("4.3.2", "too many messages at the moment")
PID_MAX = 4194304
"""The largest there can be on Linux (proc(5))."""


class Room:
    """For so many programs at once; all queues of a process share it.

    budget  for what waits in memory
    last    the process id of the one that was started last
    """

    def __init__(self, programs: int, budget: Budget, patience: float = PATIENCE) -> None:
        self.budget = budget
        self.last = posix.getpid()
        self._free = programs
        self._patience = patience
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place, in the order of arrival.

        Raises:
            TimeoutError: there was none in time.
        """
        if self._free:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await within(self._patience, place)
        except BaseException:
            if place.done():
                self.leave()
            else:
                self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Give a place back."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1


class SpawnedRun(QueueProgram):
    """One run of a queue program on the loop; the pid is reaped whatever becomes of who waits for it.

    ended  a future: the process has ended
    """

    __slots__ = ("_loop", "_timer", "ended")

    def __init__(self, program: str, told: "Mapping[bytes, bytes]", environment: "Mapping[bytes, bytes]") -> None:
        """See QueueProgram."""
        super().__init__(program, told, environment)
        self._loop = asyncio.get_running_loop()
        self.ended = self._loop.create_future()
        self._timer = self._loop.call_later(self._deadline - time.monotonic(), self._kill)
        self._loop.add_reader(self._process, self._has_ended)
        self._loop.add_reader(self._channel, self._hear)

    async def give(self, message: Spool, text: bytes) -> "Outcome":
        """Give message and envelope, and wait for what the program says and for its end.

        Raises:
            SpoolError: the message could not be read; nothing is queued.
        """
        opened = [self._envelope, self._message]
        try:
            while piece := await message.take():
                self._failed = self._failed or not await self._put(self._message, piece)
            posix.close(opened.pop())
            written = not self._failed and await self._put(self._envelope, text)
            posix.close(opened.pop())
            await asyncio.shield(self.ended)
        except BaseException:
            self._abandon(opened)
            raise
        return self._bury(written)

    def _abandon(self, opened: list[int]) -> None:
        """Nobody waits any more.  Without the end of the envelope nothing is queued; what does not end soon is killed."""
        for fd in opened:
            posix.close(fd)
        self.ended.add_done_callback(lambda _: self._bury(written=False))
        if not self.ended.done():
            self._timer.cancel()
            self._timer = self._loop.call_later(FAREWELL, self._kill)

    async def _put(self, pipe: int, data: bytes) -> bool:
        """False when the program does not take all of it: it closed the pipe, or has ended."""
        view = memoryview(data)
        while view:
            try:
                view = view[posix.write(pipe, view):]
            except BlockingIOError:
                if self.ended.done():
                    return False
                await self._writable(pipe)
            except OSError:
                return False
        return True

    async def _writable(self, pipe: int) -> None:
        """Wait until the pipe takes something, or the process has ended: a daemon that it left may hold the pipe for ever."""
        waiter = self._loop.create_future()

        def wake(_: object = None) -> None:
            if not waiter.done():
                waiter.set_result(None)

        self._loop.add_writer(pipe, wake)
        self.ended.add_done_callback(wake)
        try:
            await waiter
        finally:
            self._loop.remove_writer(pipe)
            self.ended.remove_done_callback(wake)

    def _hear(self) -> None:
        """A program may talk before it reads, so its words are always taken."""
        self._listen()
        if not self._talks:
            self._loop.remove_reader(self._channel)

    def _has_ended(self) -> None:
        self._loop.remove_reader(self._process)
        self._loop.remove_reader(self._channel)
        self._timer.cancel()
        self._listen()  # its last words
        self.ended.set_result(None)


class SpawnedQueue:
    """A Queue of SpawnedRuns, for one session."""

    __slots__ = ("_code", "_environment", "_holding", "_note", "_program", "_room", "_spool", "_started", "_told", "number")

    def __init__(
            self, room: Room, program: str, holding: str, environment: "Callable[[], Mapping[bytes, bytes]]", note: "Note",
    ) -> None:
        """The usual queue program and the one that holds messages, by path from the working directory on.

        environment  gives that of the programs: what tcpserver would have set for this connection, and ours
        note         is told what went wrong with us
        """
        self.number = 0
        self._room = room
        self._program = program
        self._holding = holding
        self._environment = environment
        self._note = note
        self._told: "Mapping[bytes, bytes]" = {}
        self._started = program
        self._spool: Spool | None = None
        self._code = QUEUED

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        """See Queue.  Until the program runs the number is the one that comes next, for mail that nobody gets has one too."""
        self.number = self._room.last % PID_MAX + 1
        self._told = told
        self._started = self._holding if hold else self._program
        self._spool = Spool(self._room.budget)
        self._code = QUEUED

    async def write(self, data: bytes) -> None:
        """See Queue."""
        assert self._spool
        if not self._code:
            try:
                await self._spool.add(data)
            except SpoolError as error:
                self._break(WRITE_ERROR, str(error))
            except MemoryError:
                self._break(OUT_OF_MEMORY, "no memory for more of all messages")
                self._spool.close()

    async def finish(self, sender: bytes, recipients: list[bytes]) -> "Outcome":
        """See Queue."""
        assert self._spool
        spool, self._spool = self._spool, None
        try:
            text = envelope.build(sender, recipients)
            return from_exit_code(self._code, b"") if self._code else await self._run(spool, text)
        except envelope.EnvelopeError as error:
            return from_exit_code(error.exit_code, b"")
        finally:
            spool.close()

    async def abort(self) -> None:
        """See Queue."""
        spool, self._spool = self._spool, None
        if spool:
            spool.close()

    async def _run(self, spool: Spool, text: bytes) -> "Outcome":
        try:
            await self._room.enter()
        except TimeoutError:
            return temporary(*BUSY)
        try:
            run = SpawnedRun(self._started, self._told, self._environment())
        except BaseException as error:
            self._room.leave()
            if not isinstance(error, OSError):
                raise
            self._break(EXEC_FAILED, f"{type(error).__name__}: {error}")
            return from_exit_code(EXEC_FAILED, b"")
        run.ended.add_done_callback(lambda _: self._room.leave())
        self.number = self._room.last = run.pid
        try:
            return await run.give(spool, text)
        except SpoolError as error:
            self._break(WRITE_ERROR, str(error))
            return from_exit_code(WRITE_ERROR, b"")

    def _break(self, code: int, why: str) -> None:
        self._code = code
        self._note("fault", [("why", why.encode("utf-8", "replace"))])


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..qmail.logline import Pairs
    from ..qmail.outcome import Outcome

    Note = Callable[[str, Pairs], None]
