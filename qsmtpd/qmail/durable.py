"""Changes to files that are on the disk when the function returns: the only place that renames, links, or calls fsync.

POSIX makes neither a file's bytes nor its name durable without fsync of the file and of each directory that changed
(fsync(2); Pillai et al., OSDI 2014, found 60 faults in 11 systems that thought otherwise).  An fsync that failed is final:
Linux drops the dirty pages and the next fsync would report success, so the caller gives the file up and never tries again.
"""

import os

TEMPORARY_MODE = 0o600


def sync_directory(path: str) -> None:
    """Make the names in a directory durable.

    Raises:
        OSError: it could not be; the change may or may not survive.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(fd: int) -> None:
    """Make a file's bytes durable."""
    os.fsync(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of the data to a blocking descriptor; os.write() may take less."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def rename(source: str, target: str, sync: "Sync" = sync_directory) -> None:
    """Rename within one file system; the old name is gone and the new one there when it returns.

    sync  makes the names in a directory durable

    Raises:
        OSError: neither changed; or both did, and the change may not survive.
    """
    os.rename(source, target)
    _sync_directories(target, source, sync=sync)


def unlink(path: str) -> None:
    """Remove a name."""
    os.unlink(path)
    _sync_directories(path)


def replace_file(path: str, data: bytes, mode: int = 0o644) -> None:
    """Put data in a file's place: readers see the old bytes or the new ones, never a part, and never nothing.

    The new file is made beside the old one, as PATH.tmp: a rename must not cross file systems.  Two processes that replace
    the same file must lock each other out.

    Raises:
        OSError: the old file is there as before, and PATH.tmp is not; or the new one is, and may not survive.
    """
    temporary = f"{path}.tmp"
    try:
        _write_new(temporary, data, mode)
        rename(temporary, path)
    except OSError:
        _discard(temporary)
        raise


def _write_new(path: str, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, TEMPORARY_MODE)
    try:
        write_all(fd, data)
        os.fchmod(fd, mode)
        os.fsync(fd)
    finally:
        os.close(fd)


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync_directories(*paths: str, sync: "Sync" = sync_directory) -> None:
    for directory in dict.fromkeys(os.path.dirname(path) or "." for path in paths):
        sync(directory)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Sync = Callable[[str], None]
