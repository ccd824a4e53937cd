"""What every check is given: the session so far, and the look-ups it may wait for."""

from ..replies import Reply


class LookupFailedError(Exception):
    """A look-up of ours has no answer: the session answers with a temporary failure, never with a refusal."""


class Mail:
    """What is known of the session and of the transaction in hand.

    relay       None, or what RELAYCLIENT appends to each recipient: the client may send to every domain
    blocked     RBLSMTPD: None or b"" for nothing, "-text" refuses for good, other text for now
    helo        what the client called itself last, None before HELO
    protocol    of this transaction: the word after "with" in the Received line
    sender      of this transaction, None before MAIL
    recipient   the one in hand
    host        its domain, A to Z in lower case; None without an "@"
    ours        whether we take mail for the domain of the recipient in hand
    known       whether that recipient exists; None when nobody was asked
    recipients  of this transaction, as they go into the envelope
    rcpt, good, bad  recipients of the session: all, accepted, refused because nobody here has that name
    """

    __slots__ = (
        "bad", "blocked", "good", "helo", "host", "known", "ours", "protocol", "rcpt", "recipient", "recipients",
        "relay", "sender")

    def __init__(self, relay: bytes | None, blocked: bytes | None) -> None:
        self.relay = relay
        self.blocked = blocked
        self.helo: bytes | None = None
        self.protocol = b"SMTP"
        self.sender: bytes | None = None
        self.recipient = b""
        self.host: bytes | None = None
        self.ours = True
        self.known: bool | None = None
        self.recipients: list[bytes] = []
        self.rcpt = self.good = self.bad = 0


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Lookups(Protocol):
        """What a check may ask the world.  Under tcpserver an answer is there at once; in the listener it is waited for.

        All raise LookupFailedError when there is no answer.
        """

        async def has_key(self, name: str, key: bytes) -> bool | None:
            """Whether a cdb of the control directory has the key; None when there is no such file."""

        async def is_own_address(self, ip: bytes) -> bool:
            """Whether a dotted IPv4 address is one of this machine's."""

    class Check(Protocol):
        """A check: its opinion on what is in hand, None when it has none."""

        name: str

        async def __call__(self, mail: Mail, lookups: Lookups) -> Reply | None: ...
