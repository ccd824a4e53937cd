"""The envelope, when not all of its recipients get the message."""

from qsmtpd.qmail.envelope import EnvelopeReader

from .receive import AT_ONCE
from .spool import Spool


def recipients(mail: "Mail") -> "Iterator[bytes]":
    """Those in the envelope, one after another; it is read in pieces, for there may be many."""
    reader = EnvelopeReader()
    offset = 0
    while piece := mail.envelope.read(offset, AT_ONCE):
        offset += len(piece)
        yield from reader.feed(piece)


def readdress(mail: "Mail", verbs: "Sequence[str]", quarantine: bytes | None, directory: bytes) -> int:
    """Give the message an envelope with those who accept it; returns how many recipients that are.

    verbs       what was decided for each recipient; a single one when it is the same for all
    quarantine  who gets it besides; None: nobody

    Raises:
        ShimError: no room for the envelope.
    """
    envelope = Spool(directory)
    envelope.write(b"F%b\0" % mail.sender)
    count = 0
    for number, address in enumerate(recipients(mail)):
        if verbs[number if len(verbs) > 1 else 0] == "accept":
            envelope.write(b"T%b\0" % address)
            count += 1
            if address == quarantine:
                quarantine = None
    if quarantine is not None:
        envelope.write(b"T%b\0" % quarantine)
        count += 1
    envelope.write(b"\0")
    mail.envelope.close()
    mail.envelope = envelope
    return count


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .receive import Mail
