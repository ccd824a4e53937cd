"""A world of which a test knows the answers: Lookups from dicts, a Mail with what a check looks at, settings from no file."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from qsmtpd.address import domain
from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.checks.rcpthosts import RcptHosts
from qsmtpd.checks.size import advertised
from qsmtpd.checks.validrcpt import ValidRcpt
from qsmtpd.config import Config
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.env import Peer
from qsmtpd.replies import OfSite
from qsmtpd.rules import site
from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import Rules
from qsmtpd.rules.site import parse_tags


class DictDns:
    """records  (name, kind): answers, or an exception to be raised.  asked, prefetched  what was, in order."""

    def __init__(self, records: dict[tuple[bytes, str], tuple[bytes, ...] | Exception] | None = None) -> None:
        self.records = records or {}
        self.asked: list[tuple[bytes, str]] = []
        self.prefetched: list[tuple[bytes, str]] = []

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        self.asked.append((name, kind))
        found = self.records.get((name, kind), ())
        if isinstance(found, Exception):
            raise found
        return found

    async def prefetch(self, questions: Sequence[tuple[bytes, str]]) -> None:
        self.prefetched += questions

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        return False

    def clear(self, zone: bytes) -> None:
        pass


class DictStore:
    """Values without lifetimes; down: every call fails."""

    def __init__(self, *, down: bool = False) -> None:
        self.values: dict[bytes, bytes] = {}
        self.counts: dict[bytes, float] = {}
        self.claimed: set[bytes] = set()
        self.down = down

    def _check(self) -> None:
        if self.down:
            raise LookupFailedError("the store is down")

    async def get(self, key: bytes) -> bytes | None:
        self._check()
        return self.values.get(key)

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        self._check()
        if lifetime > 0:
            self.values[key] = value
        else:
            self.values.pop(key, None)

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        self._check()
        self.counts[key] = self.counts.get(key, 0.0) + amount
        return self.counts[key]

    async def claim(self, key: bytes, lifetime: float) -> bool:
        self._check()
        first = key not in self.claimed
        self.claimed.add(key)
        return first


class FixedMachine:
    """numbers  name: value; what is not there fails.  standing  what sessions() says, None for a failure."""

    def __init__(self, numbers: dict[str, float] | None = None, standing: tuple[int, int] | None = None) -> None:
        self.numbers = numbers or {}
        self.standing = standing

    def read(self, name: str) -> float:
        if name not in self.numbers:
            raise LookupFailedError(name)
        return self.numbers[name]

    def sessions(self, ip: bytes, local_port: bytes) -> tuple[int, int]:
        if self.standing is None:
            raise LookupFailedError("sessions")
        return self.standing


class FixedCallouts:
    """recipients, senders  address: what their servers say; what is not there fails.  spf_result  what spf() says."""

    def __init__(
            self, recipients: dict[bytes, bool | None] | None = None, senders: dict[bytes, bool | None] | None = None,
            spf_result: tuple[str, bytes] | None = None,
    ) -> None:
        self.recipients = recipients or {}
        self.senders = senders or {}
        self.spf_result = spf_result

    async def recipient(self, address: bytes) -> bool | None:
        return _answer(self.recipients, address)

    async def sender(self, address: bytes) -> bool | None:
        return _answer(self.senders, address)

    async def spf(self, ip: bytes, sender: bytes, helo: bytes) -> tuple[str, bytes]:
        if self.spf_result is None:
            raise LookupFailedError("temperror")
        return self.spf_result


def _answer(known: dict[bytes, bool | None], address: bytes) -> bool | None:
    if address not in known:
        raise LookupFailedError("no answer")
    return known[address]


class DictLookups:
    """databases  name: keys, or keys with values; own  our addresses; broken  names that cannot be read; spoken  whether the
    client talked early; drawn  what draw() says.  asked, noted, ran, told (its arguments and words), waited  what was done.
    """

    def __init__(
            self, databases: dict[str, set[bytes]] | dict[str, dict[bytes, bytes]] | None = None,
            own: frozenset[bytes] = frozenset(), broken: frozenset[str] = frozenset(), *, dns: DictDns | None = None,
            store: DictStore | None = None, machine: FixedMachine | None = None, callouts: FixedCallouts | None = None,
            now: float = 1_795_262_400.0, spoken: bool = False, drawn: float = 0.0, exit_code: int = 0,
    ) -> None:
        self.databases = databases or {}
        self.own = own
        self.broken = broken
        self.dns = dns or DictDns()
        self.store = store or DictStore()
        self.machine = machine or FixedMachine()
        self.callouts = callouts or FixedCallouts()
        self.now = now
        self.spoken = spoken
        self.drawn = drawn
        self.exit_code = exit_code
        self.asked: list[tuple[str, bytes]] = []
        self.noted: list[bytes] = []
        self.ran: list[tuple[bytes, dict[bytes, bytes]]] = []
        self.told: list[tuple[tuple[bytes, ...], bytes | None]] = []
        self.waited: list[float] = []

    def has_key(self, name: str, key: bytes) -> bool | None:
        self.asked.append((name, key))
        if name in self.broken:
            raise LookupFailedError(name)
        return key in self.databases[name] if name in self.databases else None

    def has_domain(self, name: str, host: bytes) -> bool | None:
        return self.has_key(name, b"@" + host)

    def value(self, name: str, key: bytes) -> bytes | None:
        self.asked.append((name, key))
        if name in self.broken:
            raise LookupFailedError(name)
        values = self.databases.get(name, {})
        return values.get(key) if isinstance(values, dict) else None

    async def is_own_address(self, ip: bytes) -> bool:
        return ip in self.own

    async def early(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return self.spoken

    async def run(
            self, program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (),
            words: bytes | None = None) -> int:
        self.ran.append((program, environment))
        self.told.append((arguments, words))
        return self.exit_code

    def note(self, why: bytes) -> None:
        self.noted.append(why)

    def draw(self, line: int) -> float:
        return self.drawn


def peer(ip: bytes = b"192.0.2.1", host: bytes | None = None) -> Peer:
    """A client that tcpserver names."""
    return Peer(ip, host, None, b"mx.bench.test", local_ip=b"192.0.2.2", port=b"4711", local_port=b"25")


def mail(
        recipient: bytes = b"", *, sender: bytes = b"", relay: bytes | None = None, ip: bytes = b"192.0.2.1",
        ptr: bytes | None = None, helo: bytes | None = None, env: dict[str, bytes] | None = None,
) -> Mail:
    """A Mail with a recipient in hand."""
    variables = dict(env or {})
    if relay is not None:
        variables["RELAYCLIENT"] = relay
    known = Mail(peer(ip, ptr), variables.get)
    known.sender = sender
    known.helo = helo
    known.recipient = recipient
    known.host = domain(recipient)
    return known


class Source:
    """What a check is configured from: control files in a directory, tags as control/tags has them."""

    def __init__(self, directory: Path, tags: bytes = b"", hosts: Iterable[bytes] = (b"bench.test",)) -> None:
        self.control = Control(str(directory))
        self.tags = parse_tags(tags)
        self.hosts = RcptHosts(frozenset(hosts))
        self.valid = ValidRcpt(None, None, b"bench.test")
        self.greetdelay = 0


class Settings(Config):
    """A Config that no file was read for."""

    def __init__(self, **values: object) -> None:
        self.localiphost = self.envnoathost = b"bench.test"
        self.databytes = self.tarpitcount = self.greetdelay = 0
        self.brtlimit, self.maxrecipients, self.tarpitdelay, self.greylistdelay = 3, 1000, 5, 5
        self.quarantineto = self.ruleseed = self.rcptcheck = self.rcptcallout = None
        self.hosts = RcptHosts(frozenset((b"bench.test",)))
        self.valid = ValidRcpt(None, None, b"bench.test")
        self.control = Control("/nonexistent")
        self.tags = {}
        for name, value in values.items():
            setattr(self, name, value)
        self.replies = OfSite(b"bench.test", advertised(self.databytes))
        self.vocabulary = site.vocabulary(self.tags)
        self.rules = rules(str(values.get("text", "relay accept\n")), self)


def rules(text: str, config: Config) -> Rules:
    """The rules of a text, with the words of a Config."""
    return parse(text.encode(), config.vocabulary)


Asks = Callable[[tuple[str, ...]], Awaitable[None]]
