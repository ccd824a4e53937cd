"""The message and the envelope as private files: in memory while small, then in a file without a name.

Nobody else can open such a file, and it is gone when its last descriptor is, so a kill at any moment leaves nothing behind,
and what was scanned is what is handed on.  Everything is streamed: 30 MB take no more memory than 30 bytes.
"""

import os
from errno import ENOMEM

from qsmtpd.qmail.durable import write_all
from qsmtpd.qmail.exitcodes import OUT_OF_MEMORY, WRITE_ERROR

from .faults import ShimError

MEMORY = 256 * 1024
"""Bytes up to which a file stays in memory."""
COPIED_AT_ONCE = 1 << 30


class Spool:
    """A file that is written once, from its beginning, then read.

    fd    a descriptor for reading and writing, close-on-exec
    size  bytes so far
    """

    __slots__ = ("_directory", "_in_memory", "fd", "size")

    def __init__(self, directory: bytes) -> None:
        """directory  where a file too large for memory is made

        Raises:
            ShimError: 53 or 51: no file can be made.
        """
        self._directory = directory
        self.size = 0
        self.fd = -1
        try:
            self.fd, self._in_memory = _anonymous(directory)
        except OSError as error:
            raise _fault(directory, error) from error

    def write(self, data: bytes) -> None:
        """Add to the end.

        Raises:
            ShimError: 53 (disk full, or any other error), 51 (no memory).
        """
        try:
            self._leave_memory_for(len(data))
            write_all(self.fd, data)
        except OSError as error:
            raise _fault(self._directory, error) from error
        self.size += len(data)

    def append(self, other: "Spool") -> None:
        """Add the whole of another file; the kernel copies.

        Raises:
            ShimError: as write().
        """
        try:
            self._leave_memory_for(other.size)
            _copy(other.fd, self.fd, other.size)
        except OSError as error:
            raise _fault(self._directory, error) from error
        self.size += other.size

    def read(self, offset: int, count: int) -> bytes:
        """A piece of what was written; shorter at the end."""
        return os.pread(self.fd, count, offset)

    def has_room(self, count: int) -> bool:
        """Whether so many bytes more would stay in memory, where nobody waits for a disk."""
        return self._in_memory and self.size + count <= MEMORY

    def readable(self) -> int:
        """A descriptor at the beginning, close-on-exec; for reading only, as a caller's pipe would be.

        A program that prints on descriptor 1 would else write over the envelope.
        """
        try:
            return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # no /proc here
            readable = os.dup(self.fd)
            os.lseek(readable, 0, os.SEEK_SET)
            return readable

    def become(self, fd: int) -> None:
        """Be descriptor fd, as readable(), also after exec."""
        readable = self.readable()
        os.dup2(readable, fd, inheritable=True)
        os.close(readable)

    def close(self) -> None:
        """Once is enough; who forgets it has it done when the object goes."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()

    def _leave_memory_for(self, count: int) -> None:
        if self._in_memory and self.size + count > MEMORY:
            memory, self.fd, self._in_memory = self.fd, _temporary(self._directory), False
            _copy(memory, self.fd, self.size)
            os.close(memory)


def _anonymous(directory: bytes) -> tuple[int, bool]:
    """A file in memory; where there are none (an old kernel, a sandbox) one in the directory."""
    try:
        return os.memfd_create("qqshim", os.MFD_CLOEXEC), True
    except OSError:
        return _temporary(directory), False


def _temporary(directory: bytes) -> int:
    """A file without a name, which O_EXCL keeps so; where the file system cannot do that, one whose name is removed at once."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        path = b"%b/qqshim.%d.%b" % (directory, os.getpid(), os.urandom(8).hex().encode())
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return fd


def _copy(source: int, target: int, count: int) -> None:
    """Copy the first count bytes of a file to where the other one stands."""
    offset = 0
    while offset < count:
        copied = os.sendfile(target, source, offset, min(count - offset, COPIED_AT_ONCE))
        if not copied:
            raise OSError("a file of our own has become shorter")
        offset += copied


def _fault(directory: bytes, error: OSError) -> ShimError:
    code = OUT_OF_MEMORY if error.errno == ENOMEM else WRITE_ERROR
    return ShimError(code, f"spool in {os.fsdecode(directory)}: {error.strerror or error}")
