"""One connection of many: a Wire on an asyncio transport, and the conversation on it, which is stepped by hand.

A task of asyncio's costs a connection a kilobyte, and each wake-up a turn of the loop.  A conversation waits for its client
most of its time: then it is a coroutine that is not running, and the next bytes call it directly.  What else it waits for are
futures of asyncio, whose end calls it.
"""

import math
from asyncio import BufferedProtocol
from time import monotonic

INPUT_MAX = 16384
"""Bytes that wait for a conversation that is busy; then the client has to wait (A35)."""
SLICE = 4096
"""Bytes that a conversation is given at once: a hundred commands."""
TURN = 0.002
"""Seconds after which a conversation with more to read lets others go first.  A client who pipelines without end would else
have the loop to himself, and no deadline would pass meanwhile."""
RATE = 100
"""Bytes a second that are the least we wait for."""
LINGER = 2.0
"""Seconds in which a client may read our last words."""

GREETING_MAX = 300.0
"""Seconds until a conversation has said what its limits are."""

NOTHING, READ, WRITE, PAUSE, OTHERS = range(5)
"""What a conversation that stands still waits for: nothing of the client's, bytes, room for them, bytes or a time, its turn."""


STANDING = (READ, WRITE, OTHERS)
"""Where it may be ended."""


class Parked:
    """Awaited, it gives the turn back until the connection takes it up again."""

    __slots__ = ()

    def __await__(self) -> "Generator[Parked, None, None]":
        # Any iterator will do (PEP 492); a generator keeps a frame, and most connections wait most of their time.
        return iter(ONCE)  # type: ignore[return-value]


PARKED = Parked()
ONCE = (PARKED,)


class Connection(BufferedProtocol):
    """See Wire in conversation.py for what a conversation calls; the rest is called by the loop.

    bytes_in, bytes_out  so far
    """

    __slots__ = (
        "_began", "_came", "_end", "_eof", "_full", "_host", "_input", "_lost", "_paused", "_received", "_running", "_since",
        "_timeout", "_transport", "_waiting", "bytes_in", "bytes_out")

    def __init__(self, host: "Host") -> None:
        self._host = host
        self._running: Coroutine[object, None, bool] | None = None
        self._waiting = NOTHING
        self._input = b""
        self._eof = self._full = self._lost = self._paused = False
        self._received = 0
        self._began = self._came = self._since = 0.0
        self._timeout = GREETING_MAX
        self._end = math.inf
        self.bytes_in = self.bytes_out = 0

    # What the loop calls

    def connection_made(self, transport: "Transport") -> None:  # type: ignore[override]  # a socket's is one
        """See asyncio."""
        self._transport = transport
        self._came = self._since = self._host.now()
        self._host.begin(self, transport)

    def get_buffer(self, sizehint: int) -> "memoryview":
        """See asyncio: one buffer serves all, for what is in it is taken out at once."""
        return self._host.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio."""
        self.bytes_in += nbytes
        data = bytes(self._host.buffer[:nbytes])
        self._input = self._input + data if self._input else data
        if self._waiting in (READ, PAUSE):
            self._go_on()
        if len(self._input) >= INPUT_MAX and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """See asyncio; True: we may still have something to say."""
        self._eof = True
        if self._waiting in (READ, PAUSE):
            self._go_on()
        return True

    def pause_writing(self) -> None:
        """See asyncio."""
        self._full = True

    def resume_writing(self) -> None:
        """See asyncio."""
        self._full = False
        if self._waiting == WRITE:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._lost = self._eof = True
        if self._waiting != NOTHING:
            self._go_on(ConnectionError())

    # What the wheel calls

    def deadline(self) -> float:
        """See Timed.  As under tcpserver: timeoutsmtpd seconds from our last words, and one more for RATE bytes that came."""
        if self._running is None:
            return math.inf
        if self._waiting not in STANDING:
            return self._host.now() + 1
        return min(self._since + self._timeout + self._received / RATE, self._end)

    def expire(self) -> None:
        """See Timed."""
        self._go_on(TimeoutError())

    # What the conversation calls

    def start(self, conversation: "Coroutine[object, None, bool]") -> None:
        """Run a conversation to its end; what it returns is told to the host."""
        self._running = conversation
        self._step()

    def limit(self, timeout: float, session_timeout: float) -> None:
        """The two deadlines, in seconds: for the client's next command, and for all that it has to say from its coming on."""
        self._timeout = timeout
        self._end = self._came + session_timeout

    def interrupt(self, error: Exception) -> None:
        """Raise an error where the conversation waits for the client, if it does."""
        if self._waiting in STANDING:
            self._go_on(error)

    def abort(self) -> None:
        """Cut the connection: the conversation is told as if the client had done it."""
        self._transport.abort()

    def read(self, answer: bytes = b"") -> bytes | None:
        """See Wire."""
        if answer:
            self._say(answer)
        if self._full:
            self._waiting = WRITE
        elif not self._input and not self._eof:
            self._waiting = READ
            self._began = 0.0
        elif self._began and monotonic() - self._began > TURN:
            self._waiting = OTHERS
            self._began = 0.0
            self._host.call_later(0, self._have_turn)
        else:
            data, self._input = self._input[:SLICE], self._input[SLICE:]
            if self._input:
                self._began = self._began or monotonic()
            elif self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._received += len(data)
            return data
        return None

    def wait(self) -> Parked:
        """See Wire."""
        return PARKED

    def _have_turn(self) -> None:
        if self._waiting == OTHERS:
            self._go_on()

    async def write(self, data: bytes) -> None:
        """See Wire."""
        if data:
            self._say(data)
            if self._full:
                self._waiting = WRITE
                await PARKED

    def _say(self, data: bytes) -> None:
        if self._lost:
            raise ConnectionError
        self.bytes_out += len(data)
        self._transport.write(data)
        self._since = self._host.now()
        self._received = 0

    async def sleep(self, seconds: float) -> None:
        """See Wire."""
        seconds = min(seconds, max(self._end - self._host.now(), 0.0))
        await self._host.sleep(seconds)

    async def early(self, seconds: float) -> bool:
        """Wait so long for the client not to speak; True when it did, or has gone."""
        if not self._input and not self._eof:
            timer = self._host.call_later(seconds, self._wake)
            self._waiting = PAUSE
            await PARKED
            timer.cancel()
        return bool(self._input) or self._eof

    async def close(self, data: bytes, linger: bool) -> None:
        """See Wire."""
        try:
            if data and not self._lost:
                self.bytes_out += len(data)
                self._transport.write(data)
            if linger and not self._lost:
                await self._see_off()
        except (ConnectionError, TimeoutError, OSError, RuntimeError):
            pass

    async def _see_off(self) -> None:
        """Read on and forget, till the client has closed: a close with unread input is a reset, which eats the reply (A38)."""
        self._transport.write_eof()
        self._timeout, self._since, self._received = LINGER, self._host.now(), 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        timer = self._host.call_later(LINGER, self._wake)
        until = self._since + LINGER
        while not self._eof and self._host.now() < until:
            self._input = b""
            self._waiting = PAUSE
            await PARKED
        timer.cancel()

    def _wake(self) -> None:
        if self._waiting == PAUSE:
            self._go_on()

    # The stepping

    def _go_on(self, error: Exception | None = None) -> None:
        self._waiting = NOTHING
        self._step(error)

    def _step(self, error: Exception | None = None) -> None:
        """Let the conversation run until it waits again, or ends."""
        running = self._running
        if running is None:
            return
        try:
            waits_for = running.send(None) if error is None else running.throw(error)
        except StopIteration as stop:
            self._finish(stop.value, None)
        except BaseException as fault:
            self._finish(False, fault)
        else:
            if waits_for is not PARKED:
                self._await(waits_for)

    def _await(self, waits_for: object) -> None:
        """The conversation waits for a future; for nothing in particular, it is called in the next turn of the loop."""
        if waits_for is None:
            self._host.call_later(0, self._step)
            return
        future: Future[object] = waits_for  # type: ignore[assignment]  # nothing else may be awaited
        future._asyncio_future_blocking = False  # noqa: SLF001 - what a task does (asyncio.Future, "may be awaited by")
        future.add_done_callback(self._resume)

    def _resume(self, _future: "Future[object]") -> None:
        self._step()

    def _finish(self, well: bool, fault: BaseException | None) -> None:
        self._running = None
        self._input = b""
        if self._transport.get_write_buffer_size():  # a transport that closes waits for a client who does not read, for ever
            self._host.call_later(LINGER, self._transport.abort)
        self._transport.close()
        self._host.end(self, well, fault)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future, TimerHandle, Transport
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from typing import Protocol

    class Host(Protocol):
        """The process that a connection is one of.

        buffer  for the bytes that come next, whoever sends them
        """

        buffer: memoryview

        def now(self) -> float:
            """The loop's clock."""

        def sleep(self, seconds: float) -> Awaitable[None]: ...

        def call_later(self, seconds: float, what: Callable[[], None]) -> TimerHandle: ...

        def begin(self, connection: Connection, transport: Transport) -> None:
            """A client is there: call start(), or close the transport."""

        def end(self, connection: Connection, well: bool, fault: BaseException | None) -> None:
            """A conversation is over: what it returned, and with which fault of ours it ended, None for none."""
