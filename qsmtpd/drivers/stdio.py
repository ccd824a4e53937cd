"""One session on descriptors 0 and 1, as tcpserver starts us: everything blocks, up to its deadline.

Deadlines, against a silent client, one byte a second, one that never reads: the client has timeoutsmtpd seconds from our last
reply, and a second more for each RATE bytes that it sends.  So a slow line can finish a large message, and a byte now and then
renews nothing.  session_timeout bounds it all.
"""

import posix
import select
import time

READ_FIRST = 479
"""Bytes to read after an answer: most commands are shorter, and Python's own allocator has them; more would be malloc(3)'s."""
READ_MAX = 65536
RATE = 100
"""Bytes a second that are the least we wait for."""
POLL_MAX = 86400.0
"""Seconds; poll(2) counts milliseconds in 31 bits."""
LINGER = 2.0
"""Seconds in which a client that we have refused may read the refusal: a close with unread input is a reset, which eats it."""


class DescriptorWire:
    """A Wire on two descriptors, which may be one socket, or pipes."""

    def __init__(self, timeout: int, session_timeout: int, read_from: int = 0, write_to: int = 1) -> None:
        """The two deadlines in seconds; the descriptor to write to becomes non-blocking till close()."""
        self.bytes_in = self.bytes_out = 0
        self._in = read_from
        self._out = write_to
        self._timeout = min(timeout, POLL_MAX)
        self._end = time.monotonic() + session_timeout
        self._since = time.monotonic()
        self._received = 0
        self._readable = select.poll()
        self._readable.register(read_from, select.POLLIN)
        posix.set_blocking(write_to, False)

    def read(self, answer: bytes = b"") -> bytes:
        """See Wire."""
        if answer:
            self._write(answer, self._timeout)
        now = self._since if answer else time.monotonic()
        deadline = self._since + self._timeout
        if self._received:
            deadline = min(deadline + self._received / RATE, now + POLL_MAX)
        if deadline > self._end:  # noqa: PLR1730 - for each command; min() is a call
            deadline = self._end
        while True:
            if now >= deadline or not self._readable.poll((deadline - now) * 1000):
                raise TimeoutError
            try:
                data = posix.read(self._in, READ_MAX if self._received else READ_FIRST)
            except BlockingIOError:
                now = time.monotonic()
                continue
            except OSError as error:
                raise ConnectionError from error
            self._received += len(data)
            self.bytes_in += len(data)
            return data

    async def wait(self) -> None:
        """See Wire; read() has waited."""

    async def write(self, data: bytes) -> None:
        """See Wire."""
        if data:
            self._write(data, self._timeout)

    async def sleep(self, seconds: float) -> None:
        """See Wire."""
        left = self._end - time.monotonic()
        time.sleep(max(0.0, min(seconds, left)))

    def early(self, seconds: float) -> bool:
        """Wait so long for the client not to speak; True when it did, or has gone."""
        left = min(seconds, self._end - time.monotonic(), POLL_MAX)
        return bool(self._readable.poll(max(left, 0.0) * 1000))

    async def close(self, data: bytes, linger: bool) -> None:
        """See Wire."""
        try:
            if data:
                self._write(data, LINGER)
            if linger and self._shut_down():
                self._drain()
        except (OSError, TimeoutError):
            pass
        posix.set_blocking(self._out, True)

    def let_go(self) -> None:
        """Close the connection while the process lives on."""
        null = posix.open("/dev/null", posix.O_RDWR)
        posix.dup2(null, self._in)
        posix.dup2(null, self._out)
        posix.close(null)

    def _write(self, data: bytes, timeout: float) -> None:
        deadline = None
        while data:
            try:
                sent = posix.write(self._out, data)
            except BlockingIOError:
                deadline = deadline or time.monotonic() + timeout
                writable = select.poll()
                writable.register(self._out, select.POLLOUT)
                self._wait(writable, deadline)
                continue
            except OSError as error:
                raise ConnectionError from error
            self.bytes_out += sent
            data = data[sent:]
        self._since = time.monotonic()
        self._received = 0

    def _wait(self, poll: select.poll, deadline: float) -> None:
        left = min(deadline, self._end) - time.monotonic()
        if left <= 0 or not poll.poll(min(left, POLL_MAX) * 1000):
            raise TimeoutError

    def _shut_down(self) -> bool:
        """Say that we send no more; False when the other side is no socket."""
        from _socket import SHUT_WR, socket  # noqa: PLC0415 - the end of a session that we refused only

        try:
            connection = socket(fileno=posix.dup(self._out))
        except OSError:
            return False
        connection.shutdown(SHUT_WR)
        connection.close()
        return True

    def _drain(self) -> None:
        deadline = time.monotonic() + LINGER
        while True:
            self._wait(self._readable, deadline)
            if not posix.read(self._in, READ_MAX):
                return
