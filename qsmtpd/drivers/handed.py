"""The service's end of the hand-off: connections and messages that handoff (qsmtpd/handoff.c) was started with, and gives us.

Who can connect could claim to be anybody, RELAYCLIENT and all.  So the socket is 0600 in a directory that is 0700, and only our
own uid is listened to; where our files are, and what our interpreter loads, is said by our environment and never by theirs.

    version, kind, number of descriptors     a byte each: "1", "s" a session or "q" a message
    the numbers that these had there         a byte each, and zeros up to nine
    length of the environment                four bytes as the machine has them
    the environment                          NAME=VALUE NUL, any number of them

The descriptors come beside the first byte.  We answer ACK when we begin, and one byte, the exit code, at the end; a second
one is the signal that killed a program, for handoff to end in the same way.  Who hangs up before ACK does the work himself; so
nothing is begun when ACK cannot be sent.
"""

import asyncio
import os
import socket
import stat
import struct
from array import array

from ..qmail import env
from ..qmail.exitcodes import REFUSED_NOW

SESSION, MESSAGE = b"s", b"q"
ACK = b"+"
HEAD = struct.Struct("=ccB9sI")
DESCRIPTORS_MAX = 9
ENVIRONMENT_MAX = 131072
SECONDS = 10.0
"""For all that is to come before ACK."""
WAITING_MAX = 256
"""Who come while so many have not said all of it are sent away, and do the work themselves."""
MESSAGES_MAX = 200
"""At once; who comes beyond does the work himself.  Sessions are limited by whoever has accepted them."""
ACCEPTS = 64
"""In one turn of the loop."""
ACCEPT_PAUSE = 1.0
"""Seconds to wait after accept() failed for want of descriptors."""
BACKLOG = 512

FAULT = {SESSION: 1, MESSAGE: REFUSED_NOW}
"""The exit code when the work ended in a fault of ours: temporary."""

_OURS = (b"CONTROLDIR", b"QMAILHOME", b"PATH")
_OURS_TOO = (b"LD_", b"PYTHON")
_CREDENTIALS = struct.Struct("3i")
_READ = HEAD.size + ENVIRONMENT_MAX + 1
_ROOM_FOR_DESCRIPTORS = socket.CMSG_SPACE(DESCRIPTORS_MAX * array("i").itemsize)


class HandedError(Exception):
    """What came is not what handoff sends; str() says why."""


def listening(path: str) -> socket.socket:
    """The socket, for the workers of a service to share; an old one that nobody listens on is replaced.

    Raises:
        OSError: it cannot be made; PermissionError: others could get into its directory; the path is taken by somebody alive.
    """
    directory = os.path.dirname(path) or "."
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{directory}: wants to be a directory of ours, mode 0700")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        _remove_old(path)
        made.bind(path)
        os.chmod(path, 0o600)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _remove_old(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{path}: not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise FileExistsError(f"{path}: another service is there")


class Handed:
    """Takes what is handed over from start() until close(); what was begun goes on.

    running   the tasks of what was begun
    messages  how many of them are messages
    """

    def __init__(
            self, listener: socket.socket, handlers: "Mapping[bytes, Handler]", note: "Note", seconds: float = SECONDS,
    ) -> None:
        """handlers  for each kind who does the work: he is given the environment, the descriptors, the number that each had
                     there and ours, which are his to close, and the process id of handoff; he returns the exit code, or a
                     signal as a negative number, and is cancelled when handoff has died.
                     Who brings a kind that nobody takes does the work himself.
        note     is told of faults
        seconds  for all that is to come before ACK
        """
        self.handlers = handlers
        self.running: set[asyncio.Task[None]] = set()
        self.note = note
        self.seconds = seconds
        self.waiting: set[_Visit] = set()
        self.messages = 0
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._open = False

    def start(self) -> None:
        """Take what comes."""
        self._open = True
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Take nothing more: whoever has not got his ACK does the work himself."""
        self._open = False
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for visit in tuple(self.waiting):
            visit.leave()

    def begin(self, connection: socket.socket, kind: bytes, environment: "Environment", fds: dict[int, int]) -> None:
        """ACK was sent: do the work, and tell the exit code."""
        task = self._loop.create_task(self._serve(connection, kind, environment, fds))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        if kind == MESSAGE:
            self.messages += 1
            task.add_done_callback(self._count_out)
        self._loop.add_reader(connection, self._hung_up, connection, task)  # all that can come is the end

    def _count_out(self, _: "asyncio.Task[None]") -> None:
        self.messages -= 1

    def _hung_up(self, connection: socket.socket, task: "asyncio.Task[None]") -> None:
        self._loop.remove_reader(connection)
        task.cancel()

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._pause(error)
                return
            if len(self.waiting) < WAITING_MAX and _is_ours(connection):
                connection.setblocking(False)
                _Visit(self, connection).read()
            else:
                connection.close()

    def _pause(self, error: OSError) -> None:
        self.note("fault", [("why", f"handoff: {error}".encode("utf-8", "replace"))])
        self._loop.remove_reader(self._listener)
        self._loop.call_later(ACCEPT_PAUSE, self._accept_again)

    def _accept_again(self) -> None:
        if self._open:
            self.start()

    async def _serve(self, connection: socket.socket, kind: bytes, environment: "Environment", fds: dict[int, int]) -> None:
        code = FAULT[kind]
        try:
            code = await self.handlers[kind](environment, fds, _credentials(connection)[0])
        except Exception as error:
            self.note("fault", [("why", f"{type(error).__name__}: {error}".encode("utf-8", "replace"))])
        finally:
            self._loop.remove_reader(connection)
            try:
                connection.send(bytes([code]) if code >= 0 else bytes([FAULT[kind], -code]))
            except OSError:
                pass  # handoff has died
            connection.close()


class _Visit:
    """One who has connected, until ACK."""

    __slots__ = ("_connection", "_data", "_fds", "_handed", "_loop", "_timer")

    def __init__(self, handed: Handed, connection: socket.socket) -> None:
        self._handed = handed
        self._connection = connection
        self._data = b""
        self._fds: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(handed.seconds, self.leave)
        self._loop.add_reader(connection, self.read)
        handed.waiting.add(self)

    def read(self) -> None:
        """Take what there is."""
        try:
            data, beside, flags, _ = self._connection.recvmsg(_READ, _ROOM_FOR_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
            self._fds += _descriptors(beside)
            self._data += data
            if not data or flags & socket.MSG_CTRUNC or len(self._fds) > DESCRIPTORS_MAX:
                raise HandedError("hung up, or too many descriptors")
            self._judge()
        except BlockingIOError:
            return
        except (OSError, HandedError):
            self.leave()

    def leave(self) -> None:
        """Send him away: he does the work himself."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._done()
        self._connection.close()

    def _judge(self) -> None:
        if len(self._data) < HEAD.size:
            return
        version, kind, count, numbers, length = HEAD.unpack_from(self._data)
        if version != b"1" or kind not in self._handed.handlers or count > DESCRIPTORS_MAX or length > ENVIRONMENT_MAX:
            raise HandedError("another language")
        if kind == MESSAGE and self._handed.messages >= MESSAGES_MAX:
            raise HandedError("no room for a message")
        if len(self._data) < HEAD.size + length:
            return
        variables = environment(self._data[HEAD.size:], length)
        fds = fitting(kind, numbers[:count], self._fds)
        self._connection.send(ACK)
        self._fds = []
        self._done()
        self._handed.begin(self._connection, kind, variables, fds)

    def _done(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._connection)
        self._handed.waiting.discard(self)


def environment(block: bytes, length: int) -> "Environment":
    """The environment that was handed over, but what says where our own things are, which is as in ours.

    Raises:
        HandedError: it is none of that length.
    """
    if len(block) != length or (block and block[-1]):
        raise HandedError("not an environment")
    found: dict[bytes, bytes] = {}
    for entry in block[:-1].split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals and not _is_for_us_to_say(name):
            found.setdefault(name, value)
    found.update({name: value for name, value in env.without().items() if _is_for_us_to_say(name)})
    return found


def fitting(kind: bytes, numbers: bytes, fds: list[int]) -> dict[int, int]:
    """The descriptors by the numbers that they had there: a session's connection, or a message's 0 and 1 and some more.

    Raises:
        HandedError: they are not what they should be (A75).
    """
    found = dict(zip(numbers, fds, strict=False))
    if not len(found) == len(numbers) == len(fds):
        raise HandedError("numbers and descriptors differ")
    if kind == SESSION:
        right = list(found) == [0] and _is_connection(found[0])
    else:
        right = {0, 1} <= set(found) and _carries_data(found[0]) and _carries_data(found[1])
    if not right:
        raise HandedError("not the right descriptors")
    return found


def _is_for_us_to_say(name: bytes) -> bool:
    return name in _OURS or name.startswith(_OURS_TOO)


def _is_ours(connection: socket.socket) -> bool:
    return _credentials(connection)[1] == os.geteuid()


def _credentials(connection: socket.socket) -> tuple[int, int]:
    """Process id and uid of who has connected."""
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def _descriptors(beside: "list[tuple[int, int, bytes]]") -> list[int]:
    found = array("i")
    for level, kind, data in beside:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[:len(data) - len(data) % found.itemsize])
    return list(found)


def _is_connection(fd: int) -> bool:
    """A stream socket that does not listen."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return False
    looked_at = socket.socket(fileno=fd)
    try:
        return looked_at.type == socket.SOCK_STREAM and not looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    finally:
        looked_at.detach()


def _carries_data(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from ..qmail.logline import Pairs

    Environment = dict[bytes, bytes]
    Note = Callable[[str, Pairs], None]
    Handler = Callable[[Environment, dict[int, int], int], Coroutine[Any, Any, int]]
