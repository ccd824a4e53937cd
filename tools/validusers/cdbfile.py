"""validrcptto.cdb: reading the keys of the last one, and putting a new one in its place (J. Simpson's form: no data)."""

import errno
import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

import cdbx

from qsmtpd.qmail import durable

from .report import Report, TroubleError
from .unique import Sorter

MODE = 0o644
HEADER = 2048
BUFFER = 1 << 20
KEY_MAX = 1 << 16


@contextmanager
def last_keys(path: str, report: Report) -> Iterator[Iterable[bytes]]:
    """The keys of a cdb, sorted and each once; none when there is no such file, or when it is damaged, which is reported.

    A damaged file is compared with nothing: a new one in its place is all that helps.  It is read once from end to end before
    its keys are used, so what comes after does not fail on it.
    """
    with ExitStack() as stack:
        keys: Iterable[bytes] = ()
        try:
            if os.path.lexists(path):
                keys = _sorted_keys(path, stack)
        except OSError as error:
            report.warn(f"{path}: cannot be read, so the report has nothing to compare with: {error.strerror}")
        yield keys


def _sorted_keys(path: str, stack: ExitStack) -> Iterable[bytes]:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = stack.enter_context(os.fdopen(fd, "rb", BUFFER))
    if _ascending(records(file)):
        return records(file)
    sorter = stack.enter_context(Sorter())
    sorter.add(key for key in records(file) if b"\n" not in key)
    return sorter


def records(file: BinaryIO) -> Iterator[bytes]:
    """The keys of a cdb in the order in which they were written; equal ones are given again.

    It reads the records from front to back, up to the first table, and none of the tables: no pointer can lead it in a circle.
    It does not map the file: a map of millions of keys counts as memory, and kills its reader when somebody truncates the file.

    Raises:
        OSError: it cannot be read, or is damaged.
    """
    file.seek(0)
    header = file.read(HEADER)
    end = min(struct.unpack("<512I", header)[::2]) if len(header) == HEADER else 0
    if end < HEADER:
        raise OSError(errno.EINVAL, "damaged")
    read, unpack = file.read, struct.Struct("<II").unpack
    position = HEADER
    while position < end:
        lengths = read(8)
        key_length, data_length = unpack(lengths) if len(lengths) == 8 else (end, 0)
        position += 8 + key_length + data_length
        key = read(key_length) if key_length < KEY_MAX and position <= end else b""
        if len(key) != key_length:
            raise OSError(errno.EINVAL, "damaged")
        if data_length:
            file.seek(position)
        yield key


def _ascending(keys: Iterator[bytes]) -> bool:
    """Whether each key is greater than the one before, as in what we write."""
    last, ordered = b"", True
    for key in keys:
        ordered = ordered and last < key
        last = key
    return ordered


def replace(path: str, keys: Iterable[bytes], check: "Check") -> None:
    """Make a cdb of the keys and put it in the place of PATH: readers see the old one or the new one, whole.

    check  called when the keys are written and nothing is replaced yet; what it raises leaves everything as it was

    Raises:
        TroubleError: another run is at it, or the cdb would be larger than 4 GiB.
        OSError: no room, no permission.
    """
    temporary = f"{path}.tmp"
    with _alone(os.path.dirname(path) or "."):
        try:
            _write(temporary, keys, check)
            durable.rename(temporary, path)
        except BaseException:
            _remove(temporary)
            raise


def _write(path: str, keys: Iterable[bytes], check: "Check") -> None:
    _remove(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, durable.TEMPORARY_MODE)
    with os.fdopen(fd, "w+b") as file:
        maker = cdbx.CDB.make(file)
        add = maker.add
        try:
            for key in keys:
                add(key, b"")
            check()
            maker.commit().close()
        except OverflowError as error:
            raise TroubleError(f"{path}: a cdb holds at most 4 GiB") from error
        os.fchmod(fd, MODE)
        durable.sync_file(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    """One run at a time for a directory: the lock is on the directory itself and goes with the process."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TroubleError(f"{directory}: another validusers is at work there") from error
        yield
    finally:
        os.close(fd)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[], None]
