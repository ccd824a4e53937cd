"""The runner's door: takes mail of users who may not write in the spool (the other side is knock.py, the language wire.py).

A thread a connection, at most CONNECTIONS of them, and at most PER_UID for one user: the next waits, or is told 71.
The kernel says who it is (SO_PEERCRED).  A visitor who falls silent is sent away, and nothing of his message stays.
"""

import os
import socket
import struct
import threading
import time

from qsmtpd.qmail.envelope import EnvelopeError
from qsmtpd.qmail.exitcodes import COMMUNICATION, INTERNAL_BUG, OUT_OF_MEMORY, QUEUED, REFUSED_NOW, TIMEOUT, WRITE_ERROR

from . import layout, wire
from .attempt import Log
from .incoming import Arrival

CONNECTIONS = 64
PER_UID = 16
IDLE_SECONDS = 300.0
"""How long a visitor may let us wait for his next bytes."""
WHOLE_SECONDS = 3600.0
"""How long he may take in all."""
ACCEPT_PAUSE = 1.0
"""Seconds to wait after accept() failed for want of descriptors."""

_CREDENTIALS = struct.Struct("3i")


class Door:
    """Listens from its making until close().

    network_uid  may be changed while it listens
    """

    def __init__(self, spool: layout.Spool, network_uid: int, log: Log, idle: float = IDLE_SECONDS,
                 whole: float = WHOLE_SECONDS) -> None:
        """Makes the socket; the caller has the runner's lock, so that an old one is nobody's.

        Raises:
            OSError: it cannot be made.
        """
        self._spool = spool
        self.network_uid = network_uid
        self._log = log
        self._idle = idle
        self._whole = whole
        self._slots = threading.Semaphore(CONNECTIONS)
        self._visitors: dict[int, int] = {}
        self._guard = threading.Lock()
        self._closing = False
        try:
            os.unlink(spool.door)
        except FileNotFoundError:
            pass
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(spool.door)
        os.chmod(spool.door, 0o666)
        self._socket.listen(128)
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def close(self, seconds: float) -> None:
        """No more visitors; those who are here have some time to finish."""
        self._closing = True
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        deadline = time.monotonic() + seconds
        while self._visitors and time.monotonic() < deadline:
            time.sleep(0.02)

    def _accept(self) -> None:
        while not self._closing:
            self._slots.acquire()
            try:
                connection, _ = self._socket.accept()
                try:
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
                except BaseException:
                    connection.close()
                    raise
            except (OSError, RuntimeError) as error:  # RuntimeError: no room for a thread
                self._slots.release()
                if not self._closing:
                    self._log("fault", (("why", f"door: {error}".encode()),))
                    time.sleep(ACCEPT_PAUSE)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                pid, uid, _ = _CREDENTIALS.unpack(
                    connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
                answer = self._counted(connection, uid, pid)
                connection.settimeout(self._idle)
                connection.sendall(bytes([answer]))
        except OSError:
            pass  # he has gone; what he gave completely is stored, the rest is not
        finally:
            self._slots.release()

    def _counted(self, connection: socket.socket, uid: int, pid: int) -> int:
        with self._guard:
            if self._visitors.get(uid, 0) >= PER_UID:
                return REFUSED_NOW
            self._visitors[uid] = self._visitors.get(uid, 0) + 1
        try:
            return self._take(connection, uid, pid)
        except MemoryError:
            return OUT_OF_MEMORY
        except Exception as error:
            self._log("fault", (("why", f"door: {error!r}".encode("ascii", "backslashreplace")), ("uid", uid)))
            return INTERNAL_BUG
        finally:
            with self._guard:
                self._visitors[uid] -= 1
                if not self._visitors[uid]:
                    del self._visitors[uid]

    def _take(self, connection: socket.socket, uid: int, pid: int) -> int:
        """Take one message; returns the exit code."""
        now = time.time()
        try:
            arrival = Arrival(self._spool, uid, pid, self.network_uid, now)
        except OSError as error:
            return self._not_stored(error, uid, pid)
        try:
            self._read(connection, arrival)
            arrival.accept()
        except BaseException as error:
            arrival.discard()
            if isinstance(error, EnvelopeError):
                return error.exit_code
            if isinstance(error, TimeoutError):
                return TIMEOUT
            if isinstance(error, (_GoneError, wire.WireError)):
                return COMMUNICATION
            if isinstance(error, OSError):
                return self._not_stored(error, uid, pid)
            raise
        reader = arrival.reader
        self._log("hold", (
            ("id", arrival.identity.encode()), ("hold", pid), ("uid", uid), ("from", reader.sender), ("to", reader.first),
            ("rcpts", reader.count), ("size", arrival.size), ("ms", int((time.time() - now) * 1000))))
        return QUEUED

    def _read(self, connection: socket.socket, arrival: Arrival) -> None:
        """H once, then M*, E*, Q: whoever says anything else means something else."""
        deadline = time.monotonic() + self._whole
        expected = b"H"
        while True:
            letter, length = wire.head(self._exactly(connection, wire.HEAD.size, deadline))
            data = self._exactly(connection, length, deadline)
            if letter not in expected or (letter == b"H" and data != wire.HELLO):
                raise wire.WireError("not in this order")
            if letter == b"H":
                expected = b"MEQ"
            elif letter == b"M":
                arrival.message(data)
            elif letter == b"E":
                if arrival.reader.complete:
                    raise wire.WireError("more than one envelope")
                expected = b"EQ"
                arrival.envelope(data)
            else:
                return

    def _exactly(self, connection: socket.socket, length: int, deadline: float) -> bytes:
        """So many bytes; a byte now and then does not renew the whole time."""
        data = bytearray()
        while len(data) < length:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(min(self._idle, left))
            try:
                piece = connection.recv(length - len(data))
            except TimeoutError:
                raise
            except OSError as error:
                raise _GoneError from error
            if not piece:
                raise _GoneError
            data += piece
        return bytes(data)

    def _not_stored(self, error: OSError, uid: int, pid: int) -> int:
        self._log("fault", (("hold", pid), ("uid", uid), ("code", WRITE_ERROR), ("why", str(error.strerror).encode())))
        return WRITE_ERROR


class _GoneError(Exception):
    """The visitor closed the connection before the end."""
