"""The trailer of a message file, which says what stands before it (INTERNALS.md section 3)."""

from qsmtpd.qmail.control import digits

VERSION = b"holdq1"
SIZE = 93
"""Bytes of the trailer."""
_WIDTHS = {"message": 19, "envelope": 19, "recipients": 10, "arrival": 12, "uid": 10, "pid": 10}


class Trailer:
    """What never changes about a message.

    message     bytes of the message, from the start of the file
    envelope    bytes of the envelope behind it
    recipients  their number
    arrival     seconds since 1970
    uid         who gave it
    pid         the process that took it: "hold" in the log
    """

    __slots__ = ("arrival", "envelope", "message", "pid", "recipients", "uid")

    def __init__(self, *, message: int, envelope: int, recipients: int, arrival: int, uid: int, pid: int) -> None:
        self.message = message
        self.envelope = envelope
        self.recipients = recipients
        self.arrival = arrival
        self.uid = uid
        self.pid = pid

    def pack(self) -> bytes:
        return b"%b %019d %019d %010d %012d %010d %010d\n" % (
            VERSION, self.message, self.envelope, self.recipients, self.arrival, self.uid, self.pid)


def parse(data: bytes, file_size: int) -> Trailer:
    """The trailer from the last SIZE bytes of a file of that size.

    Raises:
        ValueError: it is none, or the lengths do not add up; the message can be shown to a person.
    """
    words = data.split(b" ")
    if len(data) != SIZE or words[0] != VERSION or len(words) != 1 + len(_WIDTHS) or not words[-1].endswith(b"\n"):
        raise ValueError("no trailer of holdq at its end")
    words[-1] = words[-1][:-1]
    if any(len(word) != width for word, width in zip(words[1:], _WIDTHS.values(), strict=True)):
        raise ValueError("a trailer that makes no sense")
    trailer = Trailer(**{name: digits(word) for name, word in zip(_WIDTHS, words[1:], strict=True)})
    if trailer.message + trailer.envelope + SIZE != file_size:
        raise ValueError(f"{file_size} bytes, but its trailer speaks of {trailer.message + trailer.envelope + SIZE}")
    return trailer
