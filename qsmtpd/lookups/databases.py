"""The cdb files of a process of many sessions: each is open once, and shared; a session sees one state of each.

A look into a file that the kernel has in memory takes two microseconds, without mmap, so that a file that somebody truncates
cannot end us by SIGBUS: so it is made on the event loop.  From a disk it is a read or two; a list of ten million addresses of
which nothing is in memory costs an SSD a tenth of a millisecond each time.
"""

from posix import stat

from .blocking import opened, path_of

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
        self._open[name] = known = Database(mark, opened(path), now)
        return known.cdb


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

    import cdbx

    Mark = tuple[int, int, int, int]
