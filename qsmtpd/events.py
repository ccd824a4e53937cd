"""What a Session tells its driver.  A driver pulls one event at a time, and answers each that wants a reply with reply().

Each that wants one has `at`: where in the session it stands, as the log has it.  Bytes are an event, too: a piece of the
message as it is stored, LF ends a line, dots unstuffed; it wants no reply.  The last of a message is EndOfData, in dotstuff.py.
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
RCPT = Signal(b"rcpt")
"""RCPT within a transaction, for session.recipient."""
BEGIN_DATA = Signal(b"data")
"""DATA, with a sender and at least one recipient; the reply is 354, or a refusal that ends the transaction."""


class Helo:
    """HELO or EHLO.

    name      what the client calls itself, b"" when it does not say
    extended  it was EHLO
    """

    __slots__ = ("extended", "name")
    at = b"helo"

    def __init__(self, name: bytes, extended: bool) -> None:
        self.name = name
        self.extended = extended


class Mail:
    """MAIL: a transaction begins, whatever was open before is forgotten.

    size  the message's bytes as the client announces them, 0 when it does not
    utf8  SMTPUTF8 was said
    """

    __slots__ = ("sender", "size", "utf8")
    at = b"mail"

    def __init__(self, sender: bytes, size: int, utf8: bool) -> None:
        self.sender = sender
        self.size = size
        self.utf8 = utf8
