"""The message between DATA and CR LF . CR LF, read in pieces (RFC 5321 section 4.5.2), and nothing else as its end.

Servers that take LF . LF, LF . CR LF or CR LF . LF for the end, or make such a sequence out of something else for the next
server, let strangers smuggle a second message inside the first (CVE-2023-51764 to -51766).  So a LF that no CR precedes is an
error, as in qmail-smtpd, and a CR that no LF follows becomes a blank: qmail-remote sends a bare CR as CR LF, and does not stuff
the dot behind it.
"""

_END = b"\r\n.\r\n"


class StrayNewlineError(Exception):
    """A LF without a CR before it."""


class DotDecoder:
    """Takes the bytes of the wire, gives the bytes to store.

    rest  None before the end of the message, then what the client sent after it
    """

    __slots__ = ("_held", "_started", "rest")

    def __init__(self) -> None:
        # The CR LF that ended the DATA line is the first half of the end of an empty message.
        self._held = b"\r\n"
        self._started = False
        self.rest: bytes | None = None

    def feed(self, data: bytes) -> bytes:
        """Decode the next piece; not to be called once rest is set.

        Raises:
            StrayNewlineError: the message has to be given up.
        """
        data = self._held + data
        end = data.find(_END)
        if end >= 0:
            self.rest = data[end + len(_END):]
            return self._decoded(data[:end + 2])
        held = _length_of_begun_end(data)
        self._held = data[len(data) - held:]
        return self._decoded(data[:len(data) - held])

    def _decoded(self, data: bytes) -> bytes:
        """Whole pieces only: no CR LF and no CR LF . is ever cut in two, for feed() holds back what may begin an end."""
        if data.count(b"\n") != data.count(b"\r\n"):
            raise StrayNewlineError
        data = data.replace(b"\r\n", b"\n").replace(b"\n.", b"\n").replace(b"\r", b" ")
        if not self._started and data:
            self._started = True
            return data[1:]
        return data


class HopCounter:
    """Counts the Received and Delivered-To fields of a header, as qmail-smtpd's blast() does, by the names alone."""

    __slots__ = ("_in_header", "_line", "hops")

    def __init__(self) -> None:
        self.hops = 0
        self._in_header = True
        self._line = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece of the message as it is stored."""
        if not self._in_header:
            return
        lines = (self._line + data).split(b"\n")
        for line in lines[:-1]:
            if not line:
                self._in_header = False
                return
            self.hops += _is_hop(line)
        # Nine bytes decide about a line; holding more would let one endless line grow our memory.
        self._line = lines[-1][:9]


class EndOfData:
    """An event of the session (events.py): the message is there; whatever the reply, the transaction is over.

    size  bytes as stored; beyond databytes no piece was handed out
    hops  Received and Delivered-To fields in its header
    """

    __slots__ = ("hops", "size")
    at = b"message"

    def __init__(self, size: int, hops: int) -> None:
        self.size = size
        self.hops = hops


class Body:
    """Both for one message: a body with its header.

    size  bytes so far, as they are stored
    rest  see DotDecoder
    """

    __slots__ = ("_decoder", "_hops", "size")

    def __init__(self) -> None:
        self._decoder = DotDecoder()
        self._hops = HopCounter()
        self.size = 0

    def feed(self, data: bytes) -> bytes | None:
        """What is to be stored of the next piece; None for a stray newline: the message has to be given up."""
        try:
            stored = self._decoder.feed(data)
        except StrayNewlineError:
            return None
        self.size += len(stored)
        self._hops.feed(stored)
        return stored

    @property
    def rest(self) -> bytes | None:
        return self._decoder.rest

    def end(self) -> EndOfData:
        """What it came to."""
        return EndOfData(self.size, self._hops.hops)


def _is_hop(line: bytes) -> bool:
    return line[:9].lower().startswith((b"received", b"delivered"))


def _length_of_begun_end(data: bytes) -> int:
    """How many of the last bytes may be the beginning of an end."""
    for length in (4, 3, 2, 1):
        if data.endswith(_END[:length]):
            return length
    return 0
