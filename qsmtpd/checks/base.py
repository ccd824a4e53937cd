"""What every check is given: the session so far, and the look-ups it may wait for."""


class LookupFailedError(Exception):
    """A look-up of ours has no answer: what depends on it is unknown, and what safety asks is a temporary failure."""


class Mail:
    """What is known of the session and of the transaction in hand.

    ip, port     the client's address (b"unknown" when nobody said) and port (None when nobody said)
    local_ip, local_port  ours
    ptr          the client's name as the server program looked it up (TCPREMOTEHOST), None when it is not set
    environment  a variable's value, from what tcpserver and tcp.smtp have set; None when it is not set
    relay        None, or what RELAYCLIENT appends to each recipient: the client may send to every domain
    helo         what the client called itself last, None before HELO
    protocol     of this transaction: the word after "with" in the Received line
    sender       of this transaction, None before MAIL
    spf_domain   the domain for which SPF has passed, None when it has not, or was not asked
    recipient    the one in hand
    host         its domain, A to Z in lower case; None without an "@"
    ours         whether we take mail for the domain of the recipient in hand
    known        whether that recipient exists; None when nobody was asked
    recipients   of this transaction, as they go into the envelope
    header       of the message in hand: its header section as it was stored, as far as it was kept; None before
    size, hops   of the message in hand, None before its end
    rcpt, good, bad  recipients of the session: all, accepted, not existing; of the one in hand, all but whether it was accepted
    before       the three numbers as they were when this transaction began
    reasons      name: why a tag holds, a short phrase for replies ({reason}) and for explain; b"" is never put there
    score        of the message in hand, as its queue program has told it, None when it has not
    waited       minutes that greylisting has kept the message in hand away, None when it has not
    until        when what "blocked" says ends, as text
    """

    __slots__ = (
        "bad", "before", "environment", "good", "header", "helo", "hops", "host", "ip", "known", "local_ip", "local_port",
        "ours", "port", "protocol", "ptr", "rcpt", "reasons", "recipient", "recipients", "relay", "score", "sender", "size",
        "spf_domain", "until", "waited")

    def __init__(self, peer: "Peer", environment: "Callable[[str], bytes | None]") -> None:
        self.ip = peer.ip
        self.port = peer.port
        self.local_ip = peer.local_ip
        self.local_port = peer.local_port
        self.ptr = peer.host
        self.environment = environment
        self.relay = environment("RELAYCLIENT")
        self.helo: bytes | None = None
        self.protocol = b"SMTP"
        self.sender: bytes | None = None
        self.spf_domain: bytes | None = None
        self.recipient = b""
        self.host: bytes | None = None
        self.ours = True
        self.known: bool | None = None
        self.recipients: list[bytes] = []
        self.header: bytes | None = None
        self.size: int | None = None
        self.hops: int | None = None
        self.rcpt = self.good = self.bad = 0
        self.before = (0, 0, 0)
        self.reasons: dict[str, bytes] = {}
        self.until = b""
        self.waited: int | None = None
        self.score: float | None = None

    def begin(self, sender: bytes, protocol: bytes) -> None:
        """A transaction begins (MAIL)."""
        self.sender = sender
        self.protocol = protocol
        self.spf_domain = self.waited = self.score = None
        self.recipients = []
        self.header = self.size = self.hops = None
        self.before = (self.rcpt, self.good, self.bad)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from ..qmail.control import Control
    from ..qmail.env import Peer
    from ..rules.site import SiteTag

    Findings = dict[str, bool | float | None]
    Question = tuple[bytes, str]

    class Check(Protocol):
        """One look at the session.  A check opens nothing itself: what it needs it asks of the lookups.

        One with an attribute "constant" that is true says the same of everybody, and is asked once in a session.
        """

        async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> Findings:
            """The values of the wanted names at least: True, False, None for unknown, a number for a fact.

            Raises:
                LookupFailedError: all the wanted names are unknown.
            """

    class AsksDns(Check, Protocol):
        """A check of cost DNS: its first questions can be told without asking, so those of several are asked side by side."""

        def questions(self, mail: Mail, wanted: tuple[str, ...]) -> Sequence[Question]: ...

    class Learns(Check, Protocol):
        """A check that remembers what became of the messages of a session in which it was asked."""

        async def learn(self, mail: Mail, lookups: "Lookups", code: int) -> None:
            """A message was answered with the code; called once for each end of data, with mail as it was then."""

    class Source(Protocol):
        """What checks are made from, by the function configured(source) of each module: config.Config is one."""

        control: Control
        tags: Mapping[str, SiteTag]
        """The site's own tags, from control/tags."""
        greetdelay: int
        """Seconds before the greeting; below 0 when who speaks in them is not to be heard."""

        @property
        def hosts(self) -> "Hosts": ...

        @property
        def valid(self) -> "Valid": ...

    class Hosts(Protocol):
        def has(self, host: bytes | None, relay: bytes | None, lookups: "Lookups") -> bool:
            """Whether mail for a domain is ours to take (checks/rcpthosts.py)."""

    class Valid(Protocol):
        async def knows(self, address: bytes, lookups: "Lookups") -> bool | None:
            """Whether a recipient exists; None when nobody was asked (checks/validrcpt.py)."""

    class Lookups(Protocol):
        """What may be asked of the world.  Under tcpserver an answer is there at once; in the listener it is waited for.

        All raise LookupFailedError when there is no answer.
        """

        now: float
        """Seconds since 1970 when the session began."""

        @property
        def dns(self) -> "Dns": ...

        @property
        def store(self) -> "Store": ...

        @property
        def machine(self) -> "Machine": ...

        @property
        def callouts(self) -> "Callouts": ...

        def has_key(self, name: str, key: bytes) -> bool | None:
            """Whether a cdb of the control directory has the key; None when there is no such file."""

        def has_domain(self, name: str, host: bytes) -> bool | None:
            """The same for the key of a whole domain, @host, which comes again with each of its recipients."""

        def value(self, name: str, key: bytes) -> bytes | None:
            """What a cdb of the control directory has under the key; None for nothing, or when there is no such file."""

        async def is_own_address(self, ip: bytes) -> bool:
            """Whether a dotted IPv4 address is one of this machine's."""

        async def early(self, seconds: float) -> bool:
            """Wait so long before the greeting; whether the client has spoken by then, or has gone."""

        async def run(
                self, program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (),
                words: bytes | None = None) -> int:
            """The exit code of a program that gets these arguments, variables besides ours, and words on descriptor 3."""

        def note(self, why: bytes) -> None:
            """Tell whoever reads the log, once in a session for each text."""

        def draw(self, line: int) -> float:
            """A number from 0 to below 100 by chance: one for a session and a line of the rules."""

    class Dns(Protocol):
        """The DNS.  Names are bytes without a dot at the end, so are answers.  A session asks each question once."""

        async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
            """The records of a name; () when there are none.

            kind  "A" and "AAAA" (addresses as text), "PTR" (names), "TXT" (the strings of a record, joined), "MX" (names,
                  the most preferred first; a null MX (RFC 7505) is b"")
            """

        async def prefetch(self, questions: Sequence[Question]) -> None:
            """Ask all of these at once, so that ask() has their answers; a failure comes to light there."""

        def strike(self, zone: bytes, strikes: int = 1) -> bool:
            """A zone has failed; after three in a row it is not asked for a while.  True when that begins now."""

        def clear(self, zone: bytes) -> None:
            """A zone has answered with sense."""

    class Store(Protocol):
        """What is remembered between sessions, shared by all; keys and values are bytes, lifetimes seconds."""

        async def get(self, key: bytes) -> bytes | None: ...

        async def put(self, key: bytes, value: bytes, lifetime: float) -> None: ...

        async def count(self, key: bytes, amount: float, halflife: float) -> float:
            """Add to a number that decays to a half in each halflife; returns it, the amount included.  0 writes nothing."""

        async def claim(self, key: bytes, lifetime: float) -> bool:
            """True for the first who asks, False for all others until the lifetime is over."""

    class Machine(Protocol):
        """This machine's state."""

        def read(self, name: str) -> float:
            """load, load-cpu, memory (percent available), psi-cpu, psi-memory, psi-io (percent of the last 10 s)."""

        def sessions(self, ip: bytes, local_port: bytes) -> tuple[int, int]:
            """Connections that stand with this port of ours: from the address, and from its netblock (/24 or /64)."""

    class Callouts(Protocol):
        """Talks with other servers."""

        async def recipient(self, address: bytes) -> bool | None:
            """Whether the server that the address is routed to takes mail for it; None when it does not say."""

        async def sender(self, address: bytes) -> bool | None:
            """Whether the servers of the address's domain take mail for it; None when they do not say, or not yet."""

        async def spf(self, ip: bytes, sender: bytes, helo: bytes) -> tuple[str, bytes]:
            """(RFC 7208 result: pass, fail, softfail, neutral, none, permerror; explanation of the domain or b"").

            A temperror is a LookupFailedError.
            """
