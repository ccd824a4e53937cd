"""What a Session tells its driver.  A driver pulls one event at a time, and answers each that wants a reply with reply().

Each that wants one has `at`: where in the session it stands, as the log has it; what the client has said with it stands in the
session.  Bytes are an event, too: a piece of the message as it is stored, LF ends a line, dots unstuffed; it wants no reply.
The last of a message is EndOfData, in dotstuff.py.
"""


class Signal:
    """An event that is nothing but its name; there is one of each."""

    __slots__ = ("at",)

    def __init__(self, at: bytes = b"") -> None:
        self.at = at


NEED_DATA = Signal()
"""Nothing more can be said before the client has: send data_to_send(), then receive_data() or receive_eof()."""
CLOSED = Signal()
"""The session is over: send data_to_send(), close.  A queue program that runs must not get its envelope."""
CONNECTED = Signal(b"connect")
"""The connection stands; the reply is the greeting, or a refusal."""
HELO = Signal(b"helo")
"""HELO or EHLO: session.helo, session.extended."""
BEGIN_MAIL = Signal(b"mail")
"""MAIL: a transaction begins, whatever was open before is forgotten; session.sender, session.size, session.utf8."""
RCPT = Signal(b"rcpt")
"""RCPT within a transaction: session.recipient."""
BEGIN_DATA = Signal(b"data")
"""DATA, with a sender and at least one recipient; the reply is 354, or a refusal that ends the transaction."""
