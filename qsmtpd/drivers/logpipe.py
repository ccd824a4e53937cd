"""The log of a process of many sessions: lines are put together, and whoever reads them slowly holds up nobody.

A pipe that poll(2) calls writable takes PIPE_BUF bytes at once and whole (pipe(7)): so nothing here ever blocks, and the
descriptor, which other processes share, stays as it is.
"""

import select
from os import write

from ..qmail.logline import format_line

PIPE_BUF = 4096
WAITING_MAX = 4 * 1024 * 1024
"""Bytes that wait for the reader; beyond them lines are lost, and counted."""
AGAIN = 0.05
"""Seconds until a reader that was slow is looked at again."""


class LogPipe:
    """Descriptor 2, by default.

    lost  lines for which there was no room
    """

    def __init__(self, loop: "AbstractEventLoop", fd: int = 2) -> None:
        self.lost = 0
        self._loop = loop
        self._fd = fd
        self._lines: list[bytes] = []
        self._size = 0
        self._due = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write_all(self, lines: "Iterable[tuple[str, Pairs]]") -> None:
        """Events to be written; see qmail.logline.write_all()."""
        self._say([format_line(event, pairs) for event, pairs in lines])

    def say(self, line: bytes) -> None:
        """A line with its end."""
        self._say([line])

    def _say(self, lines: list[bytes]) -> None:
        size = sum(map(len, lines))
        if self._size + size > WAITING_MAX:
            self.lost += len(lines)
            return
        self._lines += lines
        self._size += size
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def flush(self) -> None:
        """Write what can be written at once: the process is about to end."""
        self._flush()

    def _flush(self) -> None:
        self._due = False
        while self._lines:
            if not self._poll.poll(0):
                self._due = True
                self._loop.call_later(AGAIN, self._flush)
                return
            count, size = 1, len(self._lines[0])
            while count < len(self._lines) and size + len(self._lines[count]) <= PIPE_BUF:
                size += len(self._lines[count])
                count += 1
            piece = b"".join(self._lines[:count])
            del self._lines[:count]
            self._size -= size
            try:
                write(self._fd, piece)
            except OSError:
                self.lost += count


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterable

    from ..qmail.logline import Pairs
