"""Reading what the caller gives: the message on descriptor 0 to its end, then the envelope on 1 to its final NUL."""

from qsmtpd.qmail.envelope import EnvelopeReader

from . import header
from .spool import Spool

MESSAGE, ENVELOPE = 0, 1
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

    def close(self) -> None:
        """Let both go."""
        self.message.close()
        self.envelope.close()


async def receive(read: "Read", work: "Work", directory: bytes, names: tuple[bytes, ...] = ()) -> Mail:
    """Read both; the caller closes the first before it writes the second.

    read   gives the next piece of a descriptor of the caller's, b"" at its end
    work   see Work in passage.py
    names  of header fields that are ours besides those of header.OURS

    Raises:
        ShimError: there is no room for what came.
        EnvelopeError: the envelope has no end (54: the caller gave up), or is wrong (11, 91).
    """
    message = Spool(directory)
    body = await _message(read, work, message, names)
    envelope = Spool(directory)
    reader, last = await _envelope(read, work, envelope)
    return Mail(message, body, envelope, reader, last)


async def _message(read: "Read", work: "Work", spool: Spool, names: tuple[bytes, ...]) -> int:
    """Returns the offset of the body."""
    fields = header.Filters(names) if names else header.Filter()
    while data := await read(MESSAGE):
        await _keep(work, spool, fields.feed(data))
    await _keep(work, spool, fields.finish())
    return spool.size if fields.body is None else fields.body


async def _envelope(read: "Read", work: "Work", spool: Spool) -> tuple[EnvelopeReader, bytes]:
    """Also returns the last recipient."""
    reader = EnvelopeReader()
    before = last = b""
    while not reader.complete and (data := await read(ENVELOPE)):
        last = (reader.feed(data) or [last])[-1]
        await _keep(work, spool, data if not reader.complete else _to_final_nul(before, data))
        before = data[-1:]
    reader.finish()
    return reader, last


async def _keep(work: "Work", spool: Spool, data: bytes) -> None:
    await work(not spool.has_room(len(data)), spool.write, data)


def _to_final_nul(before: bytes, data: bytes) -> bytes:
    """The data up to the envelope's end: no record is empty, so that is the first NUL behind a NUL."""
    return data[:(before + data).index(b"\0\0") + 2 - len(before)]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .passage import Work

    Read = Callable[[int], Awaitable[bytes]]
