"""Reading what the caller gives: the message on one descriptor to its end, then the envelope on another to its final NUL."""

import os

from qsmtpd.qmail.envelope import EnvelopeReader
from qsmtpd.qmail.exitcodes import READ_ERROR

from . import header
from .faults import ShimError
from .spool import Spool

AT_ONCE = 65536


class Mail:
    """A message and its envelope, both whole.

    message   what came in, without header fields of ours
    body      the offset of the empty line before the body in it
    envelope  byte for byte what came in, up to its final NUL
    sender, recipients  from the envelope: the address, the number
    first, last         recipients
    """

    __slots__ = ("body", "envelope", "first", "last", "message", "recipients", "sender")

    def __init__(self, message: Spool, body: int, envelope: Spool, reader: EnvelopeReader, last: bytes) -> None:
        self.message = message
        self.body = body
        self.envelope = envelope
        self.sender = reader.sender or b""
        self.recipients = reader.count
        self.first = reader.first or b""
        self.last = last


def receive(message_fd: int, envelope_fd: int, directory: bytes, names: tuple[bytes, ...] = ()) -> Mail:
    """Read both; the caller closes the first before it writes the second.

    names  of header fields that are ours besides those of header.OURS

    Raises:
        ShimError: a descriptor cannot be read, or there is no room for what came.
        EnvelopeError: the envelope has no end (54: the caller gave up), or is wrong (11, 91).
    """
    message = Spool(directory)
    body = _message(message_fd, message, names)
    envelope = Spool(directory)
    reader, last = _envelope(envelope_fd, envelope)
    return Mail(message, body, envelope, reader, last)


def _message(fd: int, spool: Spool, names: tuple[bytes, ...]) -> int:
    """Returns the offset of the body."""
    fields = header.Filters(names) if names else header.Filter()
    while data := _read(fd):
        spool.write(fields.feed(data))
    spool.write(fields.finish())
    return spool.size if fields.body is None else fields.body


def _envelope(fd: int, spool: Spool) -> tuple[EnvelopeReader, bytes]:
    """Also returns the last recipient."""
    reader = EnvelopeReader()
    before = last = b""
    while not reader.complete and (data := _read(fd)):
        last = (reader.feed(data) or [last])[-1]
        spool.write(data if not reader.complete else _to_final_nul(before, data))
        before = data[-1:]
    reader.finish()
    return reader, last


def _to_final_nul(before: bytes, data: bytes) -> bytes:
    """The data up to the envelope's end: no record is empty, so that is the first NUL behind a NUL."""
    return data[:(before + data).index(b"\0\0") + 2 - len(before)]


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, AT_ONCE)
    except OSError as error:
        raise ShimError(READ_ERROR, f"read from descriptor {fd}: {error.strerror}") from error
