"""The envelope that a QMAILQUEUE program reads from descriptor 1: F sender NUL, T recipient NUL ..., NUL (qmail-queue(8)).

The end of the file before the last NUL means that the caller gave up: nothing may be queued.
"""

from .exitcodes import ADDRESS_TOO_LONG, ENVELOPE_FORMAT, READ_ERROR

ADDRESS_MAX = 1002
"""The longest address in bytes: qmail-queue.c has ADDR 1003, and counts the NUL."""


class EnvelopeError(Exception):
    """The envelope cannot be used; exit_code is what a queue program exits with."""

    def __init__(self, exit_code: int, why: str) -> None:
        super().__init__(why)
        self.exit_code = exit_code


def build(sender: bytes, recipients: list[bytes]) -> bytes:
    """The whole envelope, the final NUL included.

    Raises:
        EnvelopeError: an address holds a NUL, which would begin a new record, or is too long.
    """
    for address in (sender, *recipients):
        if b"\0" in address:
            raise EnvelopeError(ENVELOPE_FORMAT, "NUL in an address")
        if len(address) > ADDRESS_MAX:
            raise EnvelopeError(ADDRESS_TOO_LONG, "address longer than 1002 bytes")
    return b"F%b\0%b\0" % (sender, b"".join(b"T%b\0" % recipient for recipient in recipients))


class EnvelopeReader:
    """Takes an envelope in pieces of any size, in memory that does not grow with the number of recipients.

    sender    None until it is known
    first     the first recipient, None until it is known
    count     the number of recipients so far
    complete  the final NUL was seen
    """

    __slots__ = ("_rest", "complete", "count", "first", "sender")

    def __init__(self) -> None:
        self.sender: bytes | None = None
        self.first: bytes | None = None
        self.count = 0
        self.complete = False
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next piece; returns the recipients that it completes.  What follows the final NUL is ignored.

        Raises:
            EnvelopeError: as qmail-queue would: 91 for another record than F and T, 11 for an address too long.
        """
        if self.complete:
            return []
        *records, self._rest = (self._rest + data).split(b"\0")
        recipients = []
        for record in records:
            if self.sender is None:
                self.sender = _address(record, b"F")
            elif record:
                recipients.append(_address(record, b"T"))
            else:
                self.complete = True
                break
        if self._rest and not self.complete:
            _address(self._rest, b"F" if self.sender is None else b"T")
        if recipients and self.first is None:
            self.first = recipients[0]
        self.count += len(recipients)
        return recipients

    def finish(self) -> None:
        """Say that the file has ended.

        Raises:
            EnvelopeError: 54 when the final NUL is missing; 91 when there is no recipient.
        """
        if not self.complete:
            raise EnvelopeError(READ_ERROR, "the envelope has no end: the caller gave up")
        if not self.count:
            raise EnvelopeError(ENVELOPE_FORMAT, "no recipient")


def _address(record: bytes, kind: bytes) -> bytes:
    """The address of a record, which may be the beginning of one that is still to come."""
    if record[:1] != kind:
        raise EnvelopeError(ENVELOPE_FORMAT, f"expected a record {kind.decode()}")
    if len(record) > ADDRESS_MAX + 1:
        raise EnvelopeError(ADDRESS_TOO_LONG, "address longer than 1002 bytes")
    return record[1:]
