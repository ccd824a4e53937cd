"""One query on its way to one server, by UDP or by TCP.  Neither waits: the resolver polls, and has the clock.

The sockets are connected, so the kernel drops what comes from elsewhere; each query has a port of its own, drawn by the kernel.
"""

import _socket
from errno import EINPROGRESS
from select import POLLIN, POLLOUT

from . import dnsmessage

RECEIVED_AT_ONCE = 4096


class Server:
    """Where a server listens; target is what connect() takes."""

    __slots__ = ("family", "target")

    def __init__(self, address: str, port: int) -> None:
        """address  a numeric one.

        Raises:
            OSError, ValueError: it is none.
        """
        self.family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
        _socket.inet_pton(self.family, address.partition("%")[0])
        self.target = (address, port)


class Datagram:
    """A query by UDP."""

    __slots__ = ("_socket", "asked", "events", "number", "sent")

    def __init__(self, server: Server, number: int, sent: bytes, asked: bytes) -> None:
        """Sends it.

        number  of the server in the resolver's list
        sent    the query
        asked   its question

        Raises:
            OSError: no socket, or no way to the server.
        """
        self.number = number
        self.sent = sent
        self.asked = asked
        self.events = POLLIN
        self._socket = _opened(server, _socket.SOCK_DGRAM)
        try:
            self._socket.connect(server.target)
            self._socket.send(sent)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def step(self) -> bytes | None:
        """The response, when it is there; whatever else comes is passed over.

        Raises:
            OSError: ICMP says that nobody listens there.  Anybody can send that: what is answered later still counts.
        """
        try:
            message = self._socket.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return None
        return message if dnsmessage.belongs(message, self.sent, self.asked) else None


class Stream:
    """A query by TCP, for an answer that does not fit into a datagram; methods and attributes as those of Datagram."""

    __slots__ = ("_received", "_socket", "asked", "events", "number", "sent")

    def __init__(self, server: Server, number: int, sent: bytes, asked: bytes) -> None:
        self.number = number
        self.sent = sent
        self.asked = asked
        self.events = POLLOUT
        self._received = b""
        self._socket = _opened(server, _socket.SOCK_STREAM)
        error = self._socket.connect_ex(server.target)
        if error not in (0, EINPROGRESS):
            self._socket.close()
            raise OSError(error, "connect")

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def step(self) -> bytes | None:
        """The response, when it is there whole.

        Raises:
            OSError: there will be none.
        """
        if self.events == POLLOUT:
            query = len(self.sent).to_bytes(2, "big") + self.sent
            if self._socket.send(query) != len(query):
                raise OSError("no room for a query")
            self.events = POLLIN
            return None
        piece = self._socket.recv(65536)
        self._received += piece
        size = 2 + int.from_bytes(self._received[:2], "big")
        if len(self._received) >= max(size, 3):
            return self._checked(self._received[2:size])
        if not piece:
            raise OSError("closed early")
        return None

    def _checked(self, message: bytes) -> bytes:
        """A server that we have asked says on this connection what we asked for, or is not worth more of our time."""
        if dnsmessage.belongs(message, self.sent, self.asked) and not dnsmessage.truncated(message):
            return message
        raise OSError("no answer to the query")


def _opened(server: Server, kind: int) -> _socket.socket:
    opened = _socket.socket(server.family, kind | _socket.SOCK_CLOEXEC)
    opened.setblocking(False)
    return opened
