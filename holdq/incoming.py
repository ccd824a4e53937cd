"""The way into the spool: S0 to S2 of INTERNALS.md.  holdq-queue and the runner's door write with this one class."""

import fcntl
import os
import stat

from qsmtpd.qmail import durable, received
from qsmtpd.qmail.envelope import EnvelopeReader

from . import layout
from .message import Trailer

WRITTEN_AT = 65536
"""Bytes that do not wait for more; a message of less, its envelope and all, is one write(2)."""


class NotHeldError(Exception):
    """Nothing was stored; exit_code is what the caller is told, str() what the log is told."""

    def __init__(self, exit_code: int, why: str) -> None:
        super().__init__(why)
        self.exit_code = exit_code


class Arrival:
    """One message on its way in.  Give message(), then envelope() until complete, then accept(); or discard().

    identity  its ID
    size      bytes of the message so far, our Received field included
    reader    the envelope so far
    """

    __slots__ = (
        "_envelope", "_fd", "_now", "_part", "_pid", "_sender", "_spool", "_uid", "_unwritten", "_waiting", "identity",
        "reader", "size")

    def __init__(self, spool: layout.Spool, uid: int, pid: int, network_uid: int, now: float) -> None:
        """Creates the file and writes our Received field.

        Raises:
            OSError: it could not; PermissionError: this user may not write in the spool; FileNotFoundError: there is none.
        """
        self._spool = spool
        self._uid = uid
        self._pid = pid
        self._now = now
        self._envelope = 0
        self._sender = False
        self._unwritten: list[bytes] = []
        self._waiting = 0
        self.size = 0
        self.reader = EnvelopeReader()
        self.identity, self._part, self._fd = _create(spool, now)
        try:
            self.message(received.queue(b"holdq", pid, uid, network_uid, now))
        except BaseException:
            self.discard()
            raise

    def message(self, data: bytes) -> None:
        """Take the next piece of the message.

        Raises:
            OSError: it could not be written.
            ValueError: the envelope has begun.
        """
        if self._sender:
            raise ValueError("a piece of the message after the envelope")
        self._write(data)
        self.size += len(data)

    def envelope(self, data: bytes) -> bool:
        """Take the next piece of the envelope; returns whether it is complete.  What follows the final NUL is ignored.

        Raises:
            EnvelopeError: it cannot be used.
            OSError: it could not be written.
        """
        if self.reader.complete:
            return True
        records = [b"T%b\0" % recipient for recipient in self.reader.feed(data)]
        if not self._sender and self.reader.sender is not None:
            self._sender = True
            records.insert(0, b"F%b\0" % self.reader.sender)
        if self.reader.complete:
            records.append(b"\0")
        text = b"".join(records)
        self._write(text)
        self._envelope += len(text)
        return self.reader.complete

    def accept(self) -> None:
        """Make it durable and give it to the runner: when this returns, the caller may forget its copy.

        Raises:
            EnvelopeError: the envelope is not complete, or has no recipient.
            OSError: it could not be made durable; discard() it.
        """
        self.place(durable.sync_directory)
        self.give()
        layout.poke(self._spool)

    def place(self, sync: "Callable[[str], None]") -> None:
        """The first part of accept(), which may fail.

        sync  makes the names in a directory durable.  A process of many writers notes it here, and does it for all of them
              together before it calls give(), and tells the runner once.
        """
        self.reader.finish()
        trailer = Trailer(message=self.size, envelope=self._envelope, recipients=self.reader.count,
                          arrival=max(0, int(self._now)), uid=self._uid, pid=self._pid)
        self._unwritten.append(trailer.pack())
        self._flush()
        durable.sync_file(self._fd)
        durable.rename(self._part, f"{self._spool.incoming}/{self.identity}", sync)

    def give(self) -> None:
        """It is durable: the runner may have it, when he hears of it."""
        os.close(self._fd)  # and with it the lock
        self._fd = -1

    def discard(self) -> None:
        """Give it up: nothing of it stays, as far as that is in our power.  After an fsync that failed this is the only way."""
        for path in (self._part, f"{self._spool.incoming}/{self.identity}"):
            try:
                durable.unlink(path)
            except OSError:
                pass
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        self._waiting += len(data)
        if self._waiting < WRITTEN_AT:
            self._unwritten.append(data)
        else:
            self._flush()
            durable.write_all(self._fd, data)  # large, perhaps: it is not copied

    def _flush(self) -> None:
        together = b"".join(self._unwritten)
        self._unwritten.clear()
        self._waiting = 0
        durable.write_all(self._fd, together)


def _create(spool: layout.Spool, now: float) -> tuple[str, str, int]:
    while True:
        identity = layout.new_id(now)
        part = f"{spool.incoming}/{layout.PART}{identity}"
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, layout.FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            made = os.fstat(fd)
            if made.st_nlink:
                _share(fd, made, spool)
                return identity, part, fd
        except BaseException:
            os.close(fd)
            durable.unlink(part)
            raise
        os.close(fd)  # a sweep came between open and flock (INTERNALS.md section 6)


def _share(fd: int, made: os.stat_result, spool: layout.Spool) -> None:
    """Let the runner read and mark it, whatever our caller's umask and group, and even without the directory's setgid bit."""
    group = os.stat(spool.incoming).st_gid
    if made.st_gid != group:
        try:
            os.fchown(fd, -1, group)
        except PermissionError as error:  # not to be taken for one who may not write here, and has the door
            raise OSError(0, "has lost its setgid bit: the runner could not read what is written there") from error
    if stat.S_IMODE(made.st_mode) != layout.FILE_MODE:
        os.fchmod(fd, layout.FILE_MODE)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
