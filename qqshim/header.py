"""Header bytes: what is ours is taken out, a field is found.  The body is never touched, and nothing is written anew.

The header ends at the first empty line, which is LF alone or CR LF; a field is a line and the lines after it that begin with a
blank or a tab.  Only LF ends a line.
"""

OURS = b"x-frontline-"
"""Every field whose name begins so is ours, in any case of letters: from outside none is let in."""
ORPHAN = b"X-Frontline-Orphan:"
"""Goes before a message that begins in the middle of a field: else its first lines would continue the field we put on top."""

BLANKS_MAX = 100
"""Blanks between a name and its colon: after more of them the name counts without one."""


class Filter:
    """Takes a message in pieces of any size, and gives back what stays of each.  Memory does not grow with the message.

    body  where the body begins in what was given back: the offset of the empty line; None before it was seen
    """

    __slots__ = ("_begun", "_dropping", "_given", "_held", "_key", "_known_by", "_whole", "body")

    def __init__(self, name: bytes = b"") -> None:
        """name  of the fields that are left out; by default all whose name begins as ours do"""
        self.body: int | None = None
        self._key = b"\n" + (name.lower() or OURS)
        self._whole = bool(name)
        self._known_by = len(self._key) + BLANKS_MAX if name else len(OURS)
        self._begun = False
        self._dropping = False
        self._given = 0
        # The LF before the line at hand, itself given back already, and the first bytes of that line, too few to judge it;
        # empty in the middle of a line that was judged.
        self._held = b"\n"

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; returns what stays of it and of what was held back."""
        if self.body is not None:
            return data
        kept = self._header(self._held + data)
        if not self._begun and data:
            self._begun = True
            kept = ORPHAN + kept if data[:1] in (b" ", b"\t") else kept
        return self._count(kept)

    def finish(self) -> bytes:
        """The message has ended: what was held back and stays."""
        line, self._held = self._held, b""
        rest = line[1:]
        continues = self._dropping and rest[:1] in (b"", b" ", b"\t")
        return b"" if continues or self._is_dropped(line) else self._count(rest)

    def _count(self, kept: bytes) -> bytes:
        if self.body is None:
            self._given += len(kept)
        return kept

    def _header(self, data: bytes) -> bytes:
        """The window is the LF that was held, if one was, and what follows; whole fields go, the rest stays."""
        settled = 1 if self._held else 0
        end = end_of_header(data)
        if end is not None:
            kept = self._without_ours(data[:end], settled)
            self.body = self._given + len(kept) + (len(ORPHAN) if self._orphaned(data, settled) else 0)
            self._held = b""
            return kept + data[end:]
        line = data.rfind(b"\n", max(0, len(data) - self._known_by))
        self._held = b"" if line < 0 else data[line:]
        return self._without_ours(data if line < 0 else data[:line + 1], settled)

    def _orphaned(self, data: bytes, settled: int) -> bool:
        return not self._begun and data[settled:settled + 1] in (b" ", b"\t")

    def _without_ours(self, header: bytes, start: int) -> bytes:
        """header from start on, without our fields; its end is the end of a line, or in the middle of one already judged."""
        lower = header.lower()
        kept: list[bytes] = []
        while True:
            if self._dropping:
                next_field = _end_of_field(header, max(start - 1, 0))
                if next_field is None:
                    return b"".join(kept)
                start, self._dropping = next_field, False
            found = lower.find(self._key, max(start - 1, 0))
            while self._whole and found >= 0 and not self._is_named(lower, found):
                found = lower.find(self._key, found + 1)
            if found < 0:
                kept.append(header[start:])
                return b"".join(kept)
            kept.append(header[start:found + 1])
            start, self._dropping = found + 2, True

    def _is_named(self, header: bytes, line: int) -> bool:
        """Whether the name of the line, which begins with our name, ends with it."""
        behind = header[line + len(self._key):line + self._known_by]
        return behind.lstrip(b" \t\r")[:1] in (b":", b"\n", b"")

    def _is_dropped(self, line: bytes) -> bool:
        """Whether a last line, which nothing ends, is a field of the name."""
        return self._whole and line.lower().startswith(self._key) and self._is_named(line, 0)


class Filters:
    """A Filter that leaves out fields of several names, and those that begin as ours do."""

    __slots__ = ("_filters",)

    def __init__(self, names: "Sequence[bytes]") -> None:
        self._filters = [Filter(), *[Filter(name) for name in names]]

    @property
    def body(self) -> int | None:
        """See Filter."""
        return self._filters[-1].body

    def feed(self, data: bytes) -> bytes:
        """See Filter."""
        for each in self._filters:
            data = each.feed(data)
        return data

    def finish(self) -> bytes:
        """See Filter."""
        data = b""
        for each in self._filters:
            data = each.feed(data) + each.finish()
        return data


def end_of_header(data: bytes) -> int | None:
    """Where the empty line begins, by the LF before it; None when it is not there."""
    found = [place for place in (data.find(b"\n\n"), data.find(b"\n\r\n")) if place >= 0]
    return min(found) + 1 if found else None


def find(message: bytes, name: bytes) -> bytes | None:
    """The first field of that name in the beginning of a message: its value on one line, without blanks at its ends."""
    data = b"\n" + message
    end = end_of_header(data)
    header = data if end is None else data[:end]
    lower, key, place = header.lower(), b"\n" + name.lower(), -1
    while (place := lower.find(key, place + 1)) >= 0:
        end_of_field = _end_of_field(header, place + 1) or len(header)
        before, colon, value = header[place + len(key):end_of_field].partition(b":")
        if colon and not before.strip(b" \t"):
            return b" ".join(value.split())
    return None


def _end_of_field(header: bytes, start: int) -> int | None:
    """Where the line begins after the field at start; None when that is not seen."""
    line = header.find(b"\n", start)
    while line >= 0:
        following = header[line + 1:line + 2]
        if not following:
            return None
        if following not in (b" ", b"\t"):
            return line + 1
        line = header.find(b"\n", line + 1)
    return None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
