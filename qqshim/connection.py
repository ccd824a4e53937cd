"""One connection to a scanner: connect, write and read under one deadline.

Its methods are coroutines that never wait for anybody but the scanner, and here they block instead: a program that has one
message runs them to their end at once (qsmtpd/rules/atonce.py).  warmconnection.py waits on a loop.
Addresses are numeric: a name would have to be looked up, which libc does without a deadline, and a DNS server that is down
would then hold up all mail.  Private module _socket: its public twin costs as much as the start of the interpreter.
"""

import _socket
import os
import select
import time
from errno import EAGAIN, EINPROGRESS, EINTR

from qsmtpd.qmail.control import ControlError

from .scanners.base import ScannerError

AGAIN = 0.02
"""Seconds until a unix socket with a full backlog is tried again: poll() does not tell of room there."""
RECEIVED_AT_ONCE = 65536


class Address:
    """Where a scanner listens; target is what connect() takes."""

    __slots__ = ("family", "target")

    def __init__(self, family: int, target: "str | tuple[str, int]") -> None:
        self.family = family
        self.target = target


def address(setting: str, text: bytes) -> Address:
    """The address in a setting: /PATH, 127.0.0.1:783, [::1]:783, or localhost:783 for the first.

    Raises:
        ControlError: it is none of these.
    """
    if text.startswith(b"/"):
        return Address(_socket.AF_UNIX, os.fsdecode(text))
    host, _, port = text.rpartition(b":")
    if not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise _no_address(setting, text)
    if host == b"localhost":
        host = b"127.0.0.1"
    bracketed = host[:1] == b"[" and host[-1:] == b"]"
    family = _socket.AF_INET6 if bracketed else _socket.AF_INET
    name = (host[1:-1] if bracketed else host).decode("ascii", "replace")
    try:
        _socket.inet_pton(family, name)
    except (OSError, ValueError) as error:
        raise _no_address(setting, text) from error
    return Address(family, (name, int(port)))


def _no_address(setting: str, text: bytes) -> ControlError:
    shown = text[:100].decode("ascii", "backslashreplace")
    return ControlError(f'{setting}: expected /PATH or ADDRESS:PORT with a numeric address, found "{shown}"')


class Connection:
    """A connection until the deadline; after that, and after any error of the network, every method raises ScannerError.

    early  the other side sent or closed before all was written: it will not have read all, so its answer is no verdict
    """

    __slots__ = ("_deadline", "_poll", "_socket", "_where", "early")

    def __init__(self, where: Address, seconds: float) -> None:
        """To be opened with open(), within a with statement."""
        self._where = where
        self._deadline = time.monotonic() + seconds
        self.early = False
        try:
            self._socket = _socket.socket(where.family, _socket.SOCK_STREAM)
            self._socket.setblocking(False)
        except OSError as error:
            raise _down("no socket", error) from error
        self._poll = select.poll()
        self._poll.register(self._socket.fileno(), 0)

    async def open(self) -> None:
        """Connect."""
        error = self._try_to_connect()
        while error == EAGAIN:
            await self._pause(min(AGAIN, self._left()))
            error = self._try_to_connect()
        if error in (EINPROGRESS, EINTR):
            await self._wait(select.POLLOUT)
            error = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if error:
            raise ScannerError("failed", b"connect: " + os.strerror(error).encode())

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and await self._is_heard():
            view = view[self._taken(self._socket.send, view):]

    async def write_file(self, fd: int, offset: int, count: int) -> None:
        """Write count bytes of a file from offset on, which must be there; they do not pass through our memory."""
        end = offset + count
        while offset < end and await self._is_heard():
            offset += await self._send_file(fd, offset, end - offset)

    def end_of_writing(self) -> None:
        """Tell the other side that no more comes."""
        try:
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError as error:
            raise _down("write", error) from error

    async def read_to_end(self, limit: int) -> bytes:
        """All that the other side sends until it closes.

        Raises:
            ScannerError: also when that is more than limit bytes.
        """
        answer = b""
        while len(answer) <= limit:
            await self._wait(select.POLLIN)
            try:
                piece = self._socket.recv(RECEIVED_AT_ONCE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise _down("read", error) from error
            if not piece:
                return answer
            answer += piece
        raise ScannerError("failed", b"endless answer: " + answer[:100])

    def __enter__(self) -> "Self":
        """A connection is closed at the end of a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _try_to_connect(self) -> int:
        try:
            return self._socket.connect_ex(self._where.target)
        except OSError as error:
            raise _down("connect", error) from error

    async def _is_heard(self) -> bool:
        """Wait until the other side takes something; False when it was early."""
        if not self.early:
            ready = await self._wait(select.POLLIN | select.POLLOUT)
            self.early = bool(ready & (select.POLLIN | select.POLLHUP | select.POLLERR))
        return not self.early

    async def _send_file(self, fd: int, offset: int, count: int) -> int:
        return self._taken(os.sendfile, self._socket.fileno(), fd, offset, count)

    @staticmethod
    def _taken(send: "Callable[..., int]", *arguments: "Buffer | int") -> int:
        """Bytes that one call of send took; 0 when it took none now."""
        try:
            return send(*arguments)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise _down("write", error) from error

    async def _wait(self, events: int) -> int:
        """Wait for one of the events; returns those that are there."""
        self._poll.modify(self._socket.fileno(), events)
        while True:
            ready = self._poll.poll(self._left() * 1000)
            if ready:
                return ready[0][1]

    async def _pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ScannerError("failed", b"no answer in time")
        return left


def _down(what: str, error: OSError) -> ScannerError:
    return ScannerError("failed", f"{what}: {error.strerror or error}".encode("utf-8", "replace"))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from _typeshed import ReadableBuffer as Buffer
