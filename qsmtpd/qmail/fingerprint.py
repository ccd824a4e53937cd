"""Whether anything in a control directory has changed, for a process that lives longer than what it has read there."""

import os


def fingerprint(directory: str) -> "Fingerprint":
    """Name, time of change, size and number of each file; what cannot be looked at is not there.

    The time is that of the inode: who may read a file counts, too.
    """
    found = set()
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                status = entry.stat()
                found.add((entry.name, status.st_ctime_ns, status.st_size, status.st_ino))
    except OSError:
        pass
    return frozenset(found)


TYPE_CHECKING = False
if TYPE_CHECKING:
    Fingerprint = frozenset[tuple[str, int, int, int]]
