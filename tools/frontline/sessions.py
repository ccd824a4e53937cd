"""The lines of each session, brought together; bounded, whatever the log has lost."""

from collections.abc import Iterable, Iterator

SESSIONS_MAX = 20_000
"""Sessions that are under way at once; a server of ours has fewer."""
LINES_MAX = 10_000
"""Lines of one session."""


class Session:
    """One session: its last line, and its rcpt and message lines before that, in order."""

    __slots__ = ("last", "lines")

    def __init__(self, last: bytes, lines: list[bytes]) -> None:
        self.last = last
        self.lines = lines


class Sessions:
    """Reads lines, gives sessions at their ends.

    unfinished  sessions of which the log has no end: dropped when too many others were under way, or left at its end
    """

    def __init__(self, most: int = SESSIONS_MAX) -> None:
        self._most = most
        self._under_way: dict[bytes, list[bytes]] = {}
        self.unfinished = 0

    def of(self, lines: Iterable[bytes]) -> Iterator[Session]:
        """Each session whose end is in the lines.  Lines that are not of a session are passed over."""
        under_way = self._under_way
        for line in lines:
            head = line[:8]
            if head == b"rcpt id=":
                self._keep(line[8:].partition(b" ")[0], line)
            elif head == b"message " and line[8:11] == b"id=":
                if line[11:].partition(b" ")[0] in under_way:
                    self._keep(line[11:].partition(b" ")[0], line)
            elif head == b"session " and line[8:11] == b"id=":
                yield Session(line, under_way.pop(line[11:].partition(b" ")[0], []))
        self.unfinished += len(under_way)
        under_way.clear()

    def _keep(self, identity: bytes, line: bytes) -> None:
        lines = self._under_way.get(identity)
        if lines is None:
            lines = self._under_way[identity] = []
            if len(self._under_way) > self._most:
                del self._under_way[next(iter(self._under_way))]
                self.unfinished += 1
        if len(lines) < LINES_MAX:
            lines.append(line)
