"""What this process itself weighs: its memory that no file backs, which is all that clients can make grow."""

import ctypes
import os

M_ARENA_MAX = -8
"""malloc.h"""

_PAGE = os.sysconf("SC_PAGESIZE")


class Weight:
    """Asked about once a second; a look costs two microseconds."""

    __slots__ = ("_fd",)

    def __init__(self) -> None:
        self._fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> int:
        """Bytes.  Databases that are mapped, and those that are copied into sealed memory, are not among them."""
        _, resident, shared, *_ = os.pread(self._fd, 200, 0).split()
        return (int(resident) - int(shared)) * _PAGE

    def close(self) -> None:
        os.close(self._fd)


def share_arenas() -> None:
    """Have all threads allocate from two arenas: one of its own keeps the most that a thread ever had at once (mallopt(3)).

    To be called before there are threads.  They wait for each other anyway, for the interpreter.
    """
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    except AttributeError:
        pass  # not the C library of GNU


def trim() -> None:
    """Give back to the system what is free: of a flood that is over malloc would keep nearly all (malloc_trim(3))."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        pass  # not the C library of GNU
