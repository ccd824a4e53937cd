"""The header of a message that goes by, as it is stored (LF ends a line): kept for who looks at it, some fields left out.

Nothing here holds more than HEADER_MAX bytes, whatever a client sends (A32).
"""

HEADER_MAX = 65536
"""Bytes of a header that are kept; what is longer is looked at so far and no further."""


class HeaderSection:
    """Collects the header; feed() until it says True, or the message ends.

    text  what was collected: the whole header with the empty line behind it, or its first HEADER_MAX bytes
    rest  what came behind that
    """

    __slots__ = ("_collected", "rest", "text")

    def __init__(self) -> None:
        self._collected = bytearray()
        self.text = self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Take the next piece of the message; True when the header is there."""
        collected = self._collected
        before = len(collected)
        collected += data
        empty_line = collected.find(b"\n\n", max(before - 1, 0))
        end = 1 if collected.startswith(b"\n") else empty_line + 2 if empty_line >= 0 else 0
        if not end and len(collected) < HEADER_MAX:
            return False
        self._cut(min(end or HEADER_MAX, HEADER_MAX))
        return True

    def finish(self) -> None:
        """The message has ended in its header."""
        self._cut(HEADER_MAX)

    def _cut(self, end: int) -> None:
        self.text, self.rest = bytes(self._collected[:end]), bytes(self._collected[end:])


class FieldFilter:
    """Leaves fields with certain names out of a header, continuation lines and all; what follows the header passes."""

    __slots__ = ("_dropping", "_in_header", "_longest", "_names", "_start")

    def __init__(self, names: "Iterable[bytes]") -> None:
        self._names = frozenset([name.lower() for name in names])
        self._longest = max([len(name) for name in self._names], default=0)
        self._in_header = bool(self._names)
        self._dropping = False
        self._start: bytes | None = b""  # of a line that is not decided yet; None in the midst of one that is

    def feed(self, data: bytes) -> bytes:
        """What is left of the next piece.  The start of a line may be held back until the next one, or finish()."""
        kept: list[bytes] = []
        at = 0
        while self._in_header and at < len(data):
            end = data.find(b"\n", at) + 1 or len(data)
            line = data[at:end]
            at = end
            whole = line.endswith(b"\n")
            if self._start is not None:
                line = self._start + line
                if not whole and not self._decidable(line):
                    self._start = line
                    return b"".join(kept)
                self._decide(line)
            self._start = b"" if whole else None
            if not self._dropping:
                kept.append(line)
        return b"".join(kept) + data[at:]

    def finish(self) -> bytes:
        """The start of a last line that has no end."""
        start, self._start = self._start or b"", None
        return start

    def _decidable(self, line: bytes) -> bool:
        """Whether this beginning of a line is enough to know its name by; blanks may stand before the colon (A82)."""
        return line[:1] in (b" ", b"\t") or b":" in line or len(line.rstrip(b" \t")) > self._longest or len(line) > HEADER_MAX

    def _decide(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t"):
            return
        if line == b"\n":
            self._in_header = self._dropping = False
            return
        name, colon, _ = line.partition(b":")
        self._dropping = bool(colon) and name.rstrip(b" \t").lower() in self._names


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
