"""The replies of another SMTP server, of whom nothing is expected: bytes in, whole replies out (RFC 5321 section 4.2)."""

LINE_MAX = 2048
"""Bytes of a line with its end.  RFC 5321 section 4.5.3.1.5 allows 512."""
LINES_MAX = 128
"""Lines of a reply; an EHLO list has a dozen."""


class UpstreamError(Exception):
    """This is no SMTP reply, or one without end; str() says so in ASCII."""


class Answer:
    """A whole reply.

    code   200 to 599
    lines  the texts of its lines, without code and line end
    """

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: tuple[bytes, ...]) -> None:
        self.code = code
        self.lines = lines

    @property
    def positive(self) -> bool:
        return self.code < 300

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def status(self) -> tuple[int, int, int] | None:
        """The enhanced status code (RFC 3463), at the beginning of the last line, or as qmail has it, "(#5.1.1)", at its end.

        None when there is none, or it contradicts the code.
        """
        words = self.lines[-1].split(b" ")
        status = _status(words[0])
        if status is None and words[-1].startswith(b"(#") and words[-1].endswith(b")"):
            status = _status(words[-1][2:-1])
        return status if status and status[0] == self.code // 100 else None


class ReplyReader:
    """Collects bytes, and gives them back as replies.  What it keeps is bounded."""

    __slots__ = ("_buffer", "_code", "_lines")

    def __init__(self) -> None:
        self._buffer = b""
        self._code = 0
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of a size that one read gives; then take() until it gives None."""
        self._buffer += data

    def take(self) -> Answer | None:
        """The next reply; None when it is not whole yet.

        Raises:
            UpstreamError: it never will be one.
        """
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if len(line) >= LINE_MAX:
                raise UpstreamError("a line without end")
            if not newline:
                return None
            self._buffer = rest
            if self._is_last(line.removesuffix(b"\r")):
                answer = Answer(self._code, tuple(self._lines))
                self._lines = []
                return answer

    @property
    def pending(self) -> bool:
        """Whether there is more than the replies that were taken: nobody has asked for it yet."""
        return bool(self._buffer or self._lines)

    def _is_last(self, line: bytes) -> bool:
        code, mark = line[:3], line[3:4]
        if not (len(code) == 3 and code.isdigit() and code[:1] in b"2345" and mark in (b" ", b"-", b"")):
            raise UpstreamError("no SMTP reply")
        if self._lines and int(code) != self._code:
            raise UpstreamError("a reply with two codes")
        self._code = int(code)
        self._lines.append(line[4:])
        if len(self._lines) > LINES_MAX:
            raise UpstreamError("a reply without end")
        return mark != b"-"


def _status(word: bytes) -> tuple[int, int, int] | None:
    parts = word.split(b".")
    if len(parts) != 3 or not all(part.isdigit() and len(part) <= 3 for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])
