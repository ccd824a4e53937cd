"""An open message file: checked, read in pieces, its recipients marked (INTERNALS.md sections 3 and 6)."""

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from qsmtpd.qmail import durable
from qsmtpd.qmail.envelope import ADDRESS_MAX

from . import message

PIECE = 65536
TO_DO, DONE, FAILED = b"T", b"D", b"X"


class OddError(Exception):
    """What stands there is none of our files; str() says why."""


class BusyError(Exception):
    """Somebody else has it in hand now."""


class Recipient(NamedTuple):
    """A record of the envelope.

    offset   where its first byte, the mark, stands in the file
    mark     TO_DO, DONE or FAILED, as it was when it was read
    address  the recipient
    """

    offset: int
    mark: bytes
    address: bytes


class HeldFile:
    """A message file; use it in a with statement.

    trailer  what never changes about it
    sender   the envelope's sender
    """

    def __init__(self, path: str, *, lock: bool) -> None:
        """Opens and checks it; with lock also takes the message's lock, and opens it for marks.

        Raises:
            FileNotFoundError: it is not there (any more).
            BusyError: somebody else has the lock.
            OddError: it is none of our files.
            OSError: trouble with the disk; PermissionError: with the file's mode or group, it may be a message all the same.
        """
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):  # not even opened: the open of a device may do things
            raise OddError("not a regular file")
        self._fd = os.open(path, (os.O_RDWR if lock else os.O_RDONLY) | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if lock:
                _lock(self._fd, path)
            self.trailer = _check(self._fd, os.stat(os.path.dirname(path)).st_uid)
            self.sender = self._records(self.trailer.message, b"F")
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._fd)

    def body(self) -> Iterator[bytes]:
        """The message, our Received field first, in pieces."""
        offset, end = 0, self.trailer.message
        while offset < end:
            piece = os.pread(self._fd, min(PIECE, end - offset), offset)
            if not piece:
                raise OSError(0, "the file became shorter")
            yield piece
            offset += len(piece)

    def header(self, limit: int = PIECE) -> bytes:
        """The header, its last line ended, without the empty line; cut at limit bytes."""
        text = os.pread(self._fd, min(limit, self.trailer.message), 0)
        end = text.find(b"\n\n")
        return text if end < 0 else text[:end + 1]

    def recipients(self) -> Iterator[Recipient]:
        """The envelope's recipients, read in pieces."""
        offset = self.trailer.message + len(self.sender) + 2
        end = self.trailer.message + self.trailer.envelope - 1
        rest = b""
        while offset + len(rest) < end:
            piece = os.pread(self._fd, min(PIECE, end - offset - len(rest)), offset + len(rest))
            records = (rest + piece).split(b"\0")
            rest = records.pop()
            for record in records:
                yield Recipient(offset, record[:1], record[1:])
                offset += len(record) + 1
            if not piece or len(rest) > ADDRESS_MAX + 1:
                raise OddError("an envelope that makes no sense")

    def counts(self) -> dict[bytes, int]:
        """How many recipients have each mark.

        Raises:
            OddError: there is another mark.
        """
        counts = {TO_DO: 0, DONE: 0, FAILED: 0}
        for recipient in self.recipients():
            if recipient.mark not in counts:
                raise OddError("an envelope that makes no sense")
            counts[recipient.mark] += 1
        if sum(counts.values()) != self.trailer.recipients:
            raise OddError("an envelope that makes no sense")
        return counts

    def mark(self, offsets: Sequence[int], mark: bytes) -> None:
        """Write the mark over those of the recipients that stand there, durably."""
        for offset in offsets:
            os.pwrite(self._fd, mark, offset)
        if offsets:
            durable.sync_file(self._fd)

    def _records(self, offset: int, kind: bytes) -> bytes:
        data = os.pread(self._fd, ADDRESS_MAX + 2, offset)
        address, nul, _ = data.partition(b"\0")
        if not nul or address[:1] != kind:
            raise OddError("an envelope that makes no sense")
        return address[1:]


def _lock(fd: int, path: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError from error
    ours, there = os.fstat(fd), os.lstat(path)  # FileNotFoundError: it was renamed before we had the lock
    if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
        raise BusyError


def _check(fd: int, runner: int) -> message.Trailer:
    """The trailer of a file that may only belong to who gave it, or to the runner, who owns the directory."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OddError("not a regular file")
    if status.st_nlink > 1:
        raise OddError("it has another link")
    try:
        end = os.pread(fd, message.SIZE, max(0, status.st_size - message.SIZE))
        trailer = message.parse(end, status.st_size)
    except ValueError as error:
        raise OddError(str(error)) from error
    if status.st_uid not in (trailer.uid, runner):
        raise OddError(f"uid {status.st_uid} owns it, and it says that uid {trailer.uid} gave it")
    return trailer
