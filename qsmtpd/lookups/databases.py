"""The cdb files of a process of many sessions: each is open once, and shared; a session sees one state of each.

A file of up to COPIED_MAX bytes is copied into memory that can no longer change, and looked into there: a look takes a tenth of
a microsecond.  A larger one is read, which takes two when the kernel has it in memory, and is done on the event loop all the
same; a list of ten million addresses of which nothing is in memory costs an SSD a tenth of a millisecond each time.  Files
themselves are not mapped, for one that somebody truncates would end us by SIGBUS.
"""

import os
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, fcntl
from posix import stat

import cdbx

from .blocking import opened, path_of

COPIED_MAX = 32 * 1024 * 1024
"""Bytes of a file that is copied: a million addresses; each worker has a copy of its own."""

LOOK_AGAIN = 1.0
"""Seconds after which a file is looked at again, whether it is another one."""


class Database:
    """A file in the state that it had.

    mark   of that state; None for a file that was not there
    cdb    closed when nobody has it any more
    """

    __slots__ = ("cdb", "looked", "mark")

    def __init__(self, mark: "Mark | None", cdb: "cdbx.CDB | None", looked: float) -> None:
        self.mark = mark
        self.cdb = cdb
        self.looked = looked


class Databases:
    """All that were asked for.

    clock  seconds that go on
    """

    __slots__ = ("_clock", "_directory", "_home", "_open")

    def __init__(self, control_directory: str, home: str, clock: "Callable[[], float]") -> None:
        self._directory = control_directory
        self._home = home
        self._clock = clock
        self._open: dict[str, Database] = {}

    def current(self, name: str) -> "cdbx.CDB | None":
        """The database of that name (see BlockingLookups.has_key) as it was a second ago or later; None when there is none.

        Raises:
            OSError, MemoryError, OverflowError: it cannot be read; whoever asks next tries it again.
        """
        now = self._clock()
        known = self._open.get(name)
        if known is not None and now - known.looked < LOOK_AGAIN:
            return known.cdb
        path = path_of(name, self._directory, self._home)
        mark = _mark(path)
        if known is not None and known.mark == mark:
            known.looked = now
            return known.cdb
        self._open.pop(name, None)
        self._open[name] = known = Database(mark, _copied(path, opened(path)), now)
        return known.cdb


def _copied(path: str, whole: "cdbx.CDB | None") -> "cdbx.CDB | None":
    """The same database in memory of our own, when it is not too large.

    Raises:
        OSError, MemoryError: there is no room for it, or it cannot be read.
    """
    if whole is None or stat(path).st_size > COPIED_MAX:
        return whole
    whole.close()
    with open(path, "rb") as file:
        data = file.read(COPIED_MAX + 1)
    fd = os.memfd_create(os.path.basename(path), os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.truncate(fd, len(data))
        if os.pwrite(fd, data, 0) != len(data):
            raise OSError("no room for a copy")
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)
        # What is mapped needs no descriptor of ours.  Given to cdbx, it would stay open each time that there is no cdb in it.
        return cdbx.CDB(fd, close=False, mmap=True)
    except ValueError as error:
        raise OSError(f"no cdb: {error}") from error
    finally:
        os.close(fd)


def _mark(path: str) -> "Mark | None":
    """What changes with the file; None when it is not there."""
    try:
        found = stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Mark = tuple[int, int, int, int]
