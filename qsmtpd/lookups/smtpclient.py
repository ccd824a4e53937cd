"""A question to another SMTP server: would it take mail for an address?  Nothing is sent, and TLS is not spoken.

Probe holds the dialogue, bytes in and bytes out; Talk leads it on a socket; Inquiry asks one server after the other.  These two
go on up to a deadline, and can go on later.
"""

import posix
import select
import time
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    SO_ERROR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    socket,
)

from ..upstream import Answer, ReplyReader, UpstreamError

READ_MAX = 4096
IN_PROGRESS = (115, 11)
"""EINPROGRESS, EAGAIN."""

_ATOM = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
_HOST = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")


class Probe:
    """The dialogue: greeting, EHLO (or HELO), MAIL FROM:<>, RCPT, QUIT.

    verdict  True: it takes mail for the address; False: no such address; None: it has said neither
    why      what it said, or what went wrong, for the log and the store; printable after the encoder of that place
    done     there is nothing more to hear; close the connection
    heard    it has answered to MAIL or RCPT: another host of the same domain would say the same
    """

    __slots__ = ("_address", "_name", "_reader", "_step", "done", "heard", "verdict", "why")

    def __init__(self, name: bytes, address: bytes) -> None:
        """The name that we give ourselves, and the address.

        Raises:
            ValueError: the address cannot be written into a command: its domain is no host name, or it is not ASCII.
        """
        self._name = name
        self._address = path(address)
        self._reader = ReplyReader()
        self._step: Step = Probe._greeting  # a method of ours would keep us until the collector of cycles comes
        self.verdict: bool | None = None
        self.why = b"no answer yet"
        self.done = False
        self.heard = False

    def receive(self, data: bytes) -> bytes:
        """Take what the server sent, b"" for its end; returns what to send to it."""
        if not data:
            return self.fail(b"it closed the connection")
        try:
            self._reader.feed(data)
            answer = self._reader.take()
            if answer is None:
                return b""
            if self._reader.pending:
                return self.fail(b"it answers what was not asked")
        except UpstreamError as error:
            return self.fail(str(error).encode())
        return self._step(self, answer)

    def fail(self, why: bytes) -> bytes:
        """The dialogue cannot go on."""
        self.done = True
        self.why = why
        return b""

    def _quit(self, answer: Answer) -> bytes:
        self.fail(b"%d %b" % (answer.code, answer.lines[-1][:200]))
        return b"QUIT\r\n"

    def _greeting(self, answer: Answer) -> bytes:
        if not answer.positive:
            return self._quit(answer)
        self._step = Probe._ehlo
        return b"EHLO " + self._name + b"\r\n"

    def _ehlo(self, answer: Answer) -> bytes:
        if answer.permanent:
            self._step = Probe._helo
            return b"HELO " + self._name + b"\r\n"
        return self._helo(answer)

    def _helo(self, answer: Answer) -> bytes:
        if not answer.positive:
            return self._quit(answer)
        self._step = Probe._mail
        return b"MAIL FROM:<>\r\n"

    def _mail(self, answer: Answer) -> bytes:
        self.heard = True
        if not answer.positive:
            return self._quit(answer)
        self._step = Probe._rcpt
        return b"RCPT TO:" + self._address + b"\r\n"

    def _rcpt(self, answer: Answer) -> bytes:
        if answer.positive:
            self.verdict = True
        elif is_about_address(answer):
            self.verdict = False
        return self._quit(answer)


def is_about_address(answer: Answer) -> bool:
    """Whether a reply to RCPT says that there is no such address: not that we are not welcome, or that a mailbox is full.

    A101: a refusal for another reason, once taken for an answer, would stay in the store.
    """
    if not answer.permanent:
        return False
    status = answer.status()
    if status is None:
        return answer.code in (550, 551, 553)
    return status[1] in (0, 1, 5) or status[1:] in ((2, 0), (2, 1))


def path(address: bytes) -> bytes:
    """The address as it stands in a command, in brackets, quoted where it must be (A51: no byte of it ends the command).

    Raises:
        ValueError: see Probe.
    """
    local, _, host = address.rpartition(b"@")
    if not host or not local or not _HOST.issuperset(host.lower()):
        raise ValueError("an address without a host name")
    if not local.isascii() or min(local) < 0x20 or max(local) == 0x7F:
        raise ValueError("an address that is not ASCII")
    if not _ATOM.issuperset(local) or local.startswith(b".") or local.endswith(b".") or b".." in local:
        local = b'"%b"' % local.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b"<%b@%b>" % (local, host)


class Talk:
    """A probe on a connection of its own, to be closed."""

    __slots__ = ("_out", "_socket", "probe")

    def __init__(self, probe: Probe, ip: bytes, port: int, source: bytes | None) -> None:
        """Begin to connect.

        ip      of the server, as text, IPv4 or IPv6
        source  the address to connect from, of the same family; None for the kernel's choice

        Raises:
            OSError: it is refused at once, or we have no such address.
        """
        self.probe = probe
        self._out = b""
        self._socket = socket(AF_INET6 if b":" in ip else AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
        try:
            self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            if source is not None:
                self._socket.bind((source.decode("ascii"), 0))
            error = self._socket.connect_ex((ip.decode("ascii"), port))
            if error and error not in IN_PROGRESS:
                raise OSError(error, posix.strerror(error))
        except BaseException:
            self._socket.close()
            raise

    def go_on(self, deadline: float) -> bool:
        """Lead the dialogue until it is over, True and closed, or the deadline (time.monotonic()) has come, False."""
        poll = select.poll()
        while not self.probe.done:
            poll.register(self.fileno(), select.POLLOUT if self.writes else select.POLLIN)
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return False
            self.turn()
        return True

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def writes(self) -> bool:
        """Whether turn() wants to write, or to be connected; else it wants to read."""
        return bool(self._out) or not self._connected()

    def close(self) -> None:
        self._socket.close()

    def _connected(self) -> bool:
        try:
            self._socket.getpeername()
        except OSError:
            return False
        return True

    def turn(self) -> None:
        """One read or write, for which the socket is ready; an error of the connection ends the probe.  Its end closes."""
        self._read_or_write()
        if self.probe.done:
            self.close()

    def _read_or_write(self) -> None:
        try:
            error = self._socket.getsockopt(SOL_SOCKET, SO_ERROR)
            if error:
                raise OSError(error, posix.strerror(error))
            if not self._out:
                self._out = self.probe.receive(self._socket.recv(READ_MAX))
            if self._out:
                self._out = self._out[self._socket.send(self._out):]
        except BlockingIOError:
            return
        except OSError as error:
            self.probe.fail(str(error.strerror).encode("ascii", "replace"))


class Inquiry:
    """An address, and the servers that are asked for it until one has heard the question.

    places        address and port of each server that has not been asked yet
    verdict, why  see Probe
    """

    __slots__ = ("_address", "_name", "_sources", "_talk", "places", "verdict", "why")

    def __init__(self, name: bytes, address: bytes, sources: list[bytes]) -> None:
        """What we call ourselves, what is asked for, and from where.

        sources  addresses to connect from, [] for the kernel's choice; of a family that is not among them nobody is asked

        Raises:
            ValueError: see Probe.
        """
        path(address)
        self._name = name
        self._address = address
        self._sources = sources
        self._talk: Talk | None = None
        self.places: list[Place] = []
        self.verdict: bool | None = None
        self.why = b"nobody to ask"

    def go_on(self, deadline: float) -> bool:
        """Ask until all is said, True, or the deadline (time.monotonic()) has come, False."""
        while (talk := self.talk()) is not None:
            if not talk.go_on(deadline):
                return False
        return True

    def talk(self) -> Talk | None:
        """The talk that is to be led until its probe is done; then the next.  None when all is said."""
        if self._talk is not None and self._talk.probe.done:
            probe, self._talk = self._talk.probe, None
            self.verdict, self.why = probe.verdict, probe.why
            if probe.heard:
                self.places = []
        while self._talk is None and self.places:
            self._connect(*self.places.pop(0))
        return self._talk

    def close(self) -> None:
        """Leave the server alone, whatever it was about to say."""
        if self._talk is not None:
            self._talk.close()
            self._talk = None

    def _connect(self, ip: bytes, port: int) -> None:
        source = next((each for each in self._sources if (b":" in each) == (b":" in ip)), None)
        if self._sources and source is None:
            return
        try:
            self._talk = Talk(Probe(self._name, self._address), ip, port, source)
        except OSError as error:
            self.why = str(error.strerror).encode("ascii", "replace")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Place = tuple[bytes, int]
    Step = Callable[[Probe, Answer], bytes]
