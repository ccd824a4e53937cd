"""Everything about a session by chance: the site's files and rules, what the world answers, what the client says."""

import random
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.rules import printer
from qsmtpd.rules.expression import And, Compare, Not, Tag
from qsmtpd.rules.rule import Rule
from qsmtpd.rules.site import parse_tags, vocabulary
from tests.qsmtpd.rules import language

Chance = type(random.Random(0))

GOOD, BAD = b"good@bench.test", b"bad@bench.test"
EXISTING = frozenset((GOOD, b"other@bench.test", b"vip@bench.test"))

TAGS = b"""\
dul dnsbl dul.example 127.0.0.2-127.0.0.9
rss dnsbl rss.example
friends dnswl wl.example
badurl rhsbl rhs.example
backup env MXLEVEL=2
office ip office
neighbours ip office.cdb
lost ip not-there
ourptr ptr partners
theirhelo helo partners
boss sender bosses
vip rcpt vips
"""
"""One of each kind at least, one whose file is not there."""
SITE = parse_tags(TAGS)
WORDS = vocabulary(SITE)
TAG_WORDS = tuple([name for name, term in WORDS.items() if term.kind != "fact"])
FACT_WORDS = tuple([name for name, term in WORDS.items() if term.kind == "fact"])

FAILED = b"as the test has it"
"""In the message of every look-up that this world fails, but for those of safety."""
SAFETY = ("validrcptto.cdb", "morevalidrcptto.cdb", "morercpthosts.cdb")


class Odds(NamedTuple):
    """Of a hundred look-ups, how many fail; which parts always do."""

    failing: int
    down: frozenset[str]


class ChanceWorld:
    """Lookups, Dns, Store, Machine and Callouts in one: the same question has the same answer, which the seed decides.

    Nothing that it says is to be relied on: bytes of all kinds stand where names and texts are wanted.

    valid    what validrcptto.cdb is: "absent", "there", "broken"
    refused, confirmed  recipients of whom the next hop or the program has said that they do not exist, or that they do
    failed   whether something that safety asks has failed
    """

    ODD = (b"", b"\r\n250 ok", b"x" * 3000, b"\xff\0\x1b[2J", b'{ip}{reason}"', b"dsl-1-2-0-192.pool.example", b"mail.example")
    VALUES = (
        None, None, b"", b"junk", b"1795262000", b"1795000000 1795262000 40", b"9" * 5000, b"1 2", b"-5", b"0 0 0", b"9" * 400)

    def __init__(self, seed: int, odds: Odds, valid: str) -> None:
        self.seed = seed
        self.odds = odds
        self.valid = valid
        self.refused: set[bytes] = set()
        self.confirmed: set[bytes] = set()
        self.failed = False
        self.now = 1_795_262_400.0
        self.dns = self.store = self.machine = self.callouts = self

    def __repr__(self) -> str:
        return f"ChanceWorld({self.seed}, {self.odds}, {self.valid!r})"

    def _chance(self, part: str, *question: object) -> Chance:
        """Chance about one question.

        Raises:
            LookupFailedError: this one fails.
        """
        chance = random.Random(f"{self.seed} {part} {question!r}")
        if part in self.odds.down or chance.randrange(100) < self.odds.failing:
            if part == "safety":
                self.failed = True
                raise LookupFailedError("safety")
            raise LookupFailedError(f"{part}: {FAILED.decode()} \udcff\n")
        return chance

    # Dns

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        """A zone is sane as often as not."""
        chance = self._chance("dns", name, kind)
        if kind == "A" and name.endswith((b".dul.example", b".rss.example", b".wl.example", b".rhs.example")):
            if name.startswith((b"1.0.0.127.", b"invalid.")):
                return chance.choice([(), (), (), (), (b"127.0.0.2",)])
            some = [
                (b"127.0.0.2",), (b"127.0.0.4", b"127.0.0.2"), (), (b"127.255.255.254",), (b"203.0.113.9",), (b"127.0.0.1",)]
            return (b"127.0.0.2",) if name.startswith(b"2.0.0.127.") and chance.randrange(9) else chance.choice(some)
        if kind in ("A", "AAAA"):
            return chance.choice([(), (b"192.0.2.1",), (b"198.51.100.7", b"192.0.2.1"), (b"2001:db8::1",)])
        return tuple([chance.choice(self.ODD) for _ in range(chance.choice([0, 1, 1, 12]))])

    async def prefetch(self, questions: object) -> None:
        pass

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        return bool(random.Random(f"{self.seed} {zone!r}").randrange(2))

    def clear(self, zone: bytes) -> None:
        pass

    # Store

    async def get(self, key: bytes) -> bytes | None:
        return self._chance("store", key).choice(self.VALUES)

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        self._chance("store", key, "put")

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        return self._chance("store", key).choice([0.0, 1.0, 7.3, 1e300, -4.0])

    async def claim(self, key: bytes, lifetime: float) -> bool:
        return bool(self._chance("store", key).randrange(2))

    # Machine

    def read(self, name: str) -> float:
        return self._chance("machine", name).choice([0.0, 0.5, 3.0, 81.123456789, 100])

    def sessions(self, ip: bytes, local_port: bytes) -> tuple[int, int]:
        return self._chance("machine").choice([(1, 1), (3, 50)])

    # Callouts

    async def recipient(self, address: bytes) -> bool | None:
        """The next hop."""
        answer: bool | None = self._chance("callouts", address).choice([True, False, None])
        if answer is not None:
            (self.confirmed if answer else self.refused).add(address)
        return answer

    async def sender(self, address: bytes) -> bool | None:
        answer: bool | None = self._chance("callouts", address).choice([True, False, None])
        return answer

    async def spf(self, ip: bytes, sender: bytes, helo: bytes) -> tuple[str, bytes]:
        chance = self._chance("spf", sender, helo)
        return chance.choice(["pass", "fail", "softfail", "neutral", "none", "permerror"]), chance.choice(self.ODD)

    # The rest

    def has_key(self, name: str, key: bytes) -> bool | None:
        """validrcptto.cdb is as it is; other databases are there or not, and have some keys."""
        if name in SAFETY:
            if name != "validrcptto.cdb":
                return None
            if self.valid == "broken":
                self._chance("safety", name, key)
            return None if self.valid == "absent" else key in EXISTING
        self._chance("cdb", name, key)
        if random.Random(f"{self.seed} {name}").randrange(3) == 0:
            return None
        return random.Random(f"{self.seed} {name} {key!r}").randrange(4) == 0

    def has_domain(self, name: str, host: bytes) -> bool | None:
        return self.has_key(name, b"@" + host)

    def value(self, name: str, key: bytes) -> bytes | None:
        entries = [None, b"", b"450 0 for \r\nnow", b"550 99999999999 no\xff", b"451 1 over", b"45", b"x 0 y", b"450 -1 x"]
        return self._chance("cdb", name, key).choice(entries)

    async def is_own_address(self, ip: bytes) -> bool:
        return bool(self._chance("safety", ip).randrange(2))

    async def early(self, seconds: float) -> bool:
        return bool(random.Random(f"{self.seed} early").randrange(2))

    async def run(
            self, program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (),
            words: bytes | None = None) -> int:
        """RCPTCHECK."""
        code: int = self._chance("safety", environment[b"RECIPIENT"]).choice([0, 0, 1, 100, 112, 111, 127])
        self.failed = self.failed or code in (111, 127)
        if code in (0, 1, 100):
            (self.refused if code == 100 else self.confirmed).add(environment[b"RECIPIENT"])
        return code

    def note(self, why: bytes) -> None:
        """Bound to the journal by who plays."""

    def draw(self, line: int) -> float:
        return random.Random(f"{self.seed} draw {line}").random() * 100


PARTS = ("dns", "store", "machine", "callouts", "spf", "cdb", "safety")
down = st.frozensets(st.sampled_from(PARTS), max_size=3) | st.just(frozenset(PARTS) - {"safety"})
odds = st.builds(Odds, st.sampled_from([0, 0, 10, 50]), down)
worlds = st.builds(ChanceWorld, st.integers(0, 10**6), odds, st.sampled_from(["absent", "there", "there", "broken"]))


# The site

of_a_copy = st.builds(
    lambda recipient, message: And((Tag(recipient), message)), st.sampled_from(["vip", "not-addressed", "valid", "badrcptto"]),
    st.sampled_from([Tag("mime-mixed"), Not(Tag("mime-mixed")), Tag("no-date"), Compare("size", ">", 5)]))
"""What may hold for one recipient of a message and not for another."""
told = st.sampled_from([
    'any header "X-Checked: {helo} {ptr} {reason}"', 'any log "{sender} {rcpt} {ip}"', "any accept", "vip & size > 5 refuse",
    "not-addressed quarantine", "vip & !mime-mixed discard", "rcpt > 2 & size > 5 quarantine", 'not-addressed refuse "{rcpt}"'])
"""Rules with what the client has said of itself, and rules by which the recipients of a message part."""


@st.composite
def rule_files(draw: st.DrawFn, shadows: bool = True) -> list[str]:
    """The lines of a rule file.  Few words in each, or all of the language at once: so that they meet; or little by chance."""
    if draw(st.integers(0, 2)) == 0:
        return draw(st.lists(told, min_size=1, max_size=4))
    few = draw(st.booleans())
    tags = tuple(draw(st.lists(st.sampled_from(TAG_WORDS), min_size=2, max_size=5))) if few else TAG_WORDS
    facts = tuple(draw(st.lists(st.sampled_from(FACT_WORDS), min_size=1, max_size=3))) if few else FACT_WORDS
    lines: list[str] = []
    any_expressions = language.expressions(words=tags, facts=facts)
    for expression in draw(st.lists(any_expressions | any_expressions | of_a_copy | st.none(), max_size=10)):
        if expression is None:
            lines.append(draw(told))
            continue
        stage = max((WORDS[name].stage for name in expression.names), default=0)
        lines.append(printer.line(Rule(len(lines) + 1, expression, draw(language.actions(stage)), WORDS)))
    return lines


Files = dict[str, bytes | None]


def maybe(*texts: bytes) -> st.SearchStrategy[bytes | None]:
    """A control file that is absent, more often than not, or has one of these texts."""
    return st.sampled_from([*[None] * 2 * len(texts), *texts])


control_files = st.fixed_dictionaries({
    "rcpthosts": st.sampled_from([b"bench.test\n.sub.bench.test\n"] * 3 + [b"bench.test\n", b"BENCH.test\n", None]),
    "databytes": maybe(b"0\n", b"60\n", b"400\n"),
    "maxrecipients": maybe(b"0\n", b"1\n", b"3\n"),
    "brtlimit": maybe(b"0\n", b"1\n", b"2\n"), "tarpitcount": maybe(b"1\n"), "greetdelay": maybe(b"-1\n", b"2\n"),
    "quarantineto": st.sampled_from([None, b"jail@bench.test\n"]),
    "greylistdelay": maybe(b"0\n"), "greylistawl": maybe(b"0\n", b"1\n"),
    "knowngoodmessages": maybe(b"0\n", b"3\n"), "knowngood": maybe(b"192.0.2.0/24\n", b"# none\n"),
    "badmailfrom": maybe(b"a@b.test\n@evil.example\n"), "badrcptto": maybe(b"vip@bench.test\n"),
    "calloutrcpt": maybe(b"bench.test\n"), "calloutdomains": maybe(b"b.test\n"), "rcptcheck": maybe(b"bin/check\n"),
    "genericptr": maybe(b"pool\n.example\n"), "office": maybe(b"192.0.2.1\n2001:db8::/32\n"),
    "partners": maybe(b".example\nmail.example\n"), "bosses": maybe(b"a@b.test\n"), "vips": maybe(b"vip@bench.test\ngood@\n"),
    "locals": maybe(b"mx.bench.test\n"), "smtpgreeting": maybe(b"mx.bench.test no spam\n"),
})

environments = st.fixed_dictionaries({
    "RELAYCLIENT": st.sampled_from([None, None, None, b"", b"@relay.test"]),
    "RBLSMTPD": st.sampled_from([*[None] * 9, b"", b"go away", b"-never\r\n250 ok \xff" + b"y" * 200]),
    "MXLEVEL": st.sampled_from([None, b"2"]),
})
peers = st.tuples(
    st.sampled_from([b"192.0.2.1", b"192.0.2.1", b"2001:db8::1", b"127.0.0.1", b"unknown", b"x\r\ny"]),
    st.sampled_from([None, b"mail.example", b"h\r\nX-Forged: y \xff", b"localhost."]))


def write_site(home: Path, files: Files, rules: list[str]) -> None:
    """The control directory, with nothing else in it."""
    home.mkdir(exist_ok=True)
    for path in home.iterdir():
        path.unlink()
    text = "".join(f"{line}\n" for line in rules).encode()
    for name, content in {**files, "me": b"mx.bench.test\n", "tags": TAGS, "rules": text}.items():
        if content is not None:
            (home / name).write_bytes(content)


# The client

addresses = st.sampled_from([
    GOOD, GOOD, GOOD, b"other@bench.test", b"other@bench.test", b"vip@bench.test", b"vip@bench.test", BAD, b"b2@bench.test",
    b"GOOD@BENCH.TEST", b"x@elsewhere.test", b"postmaster",
    b"good@[192.0.2.2]", b"u@a.sub.bench.test", b'"a b"@bench.test', b"@x:good@bench.test", b"good@bench.test@elsewhere.test",
    b"n" * 850 + b"@bench.test", b"\xc3\xbc@bench.test", b"%s%n{ip}@bench.test"])
senders = st.sampled_from([
    b"", b"", b"a@b.test", b"a@b.test", b"#@[]", b"x@evil.example", b"me@bench.test", b"nobody@bench.test", b"lonely",
    b"s@[192.0.2.1]",
    b"\xc3\xbc@b.test", b"a=b@b.test verdict=quit", b"u@\xc3\xbc.test"])
fields = st.sampled_from([
    b"X-Checked: forged", b"x-checked :forged", b"From: a@b.test", b"From: b@b.test", b"To: good@bench.test",
    b"Cc: other@bench.test", b"Date: now", b"Message-ID: <1@b>", b"Content-Type: multipart/mixed; x=y",
    b"Content-Type: text/html", b"no field", b" folded",
    b"Received: by x", b"Received: by x\r\nDelivered-To: y\r\n" * 60 + b"Received: by z", b"X: \xff\0"])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """What follows 354, with its end."""
    header = draw(st.lists(fields, max_size=6))
    bodies = [[], [b"", b"hello"], [b"", b"..", b"..x"], [b"", b"y" * 500], [b"", b"X-Checked: in the body"]]
    body = draw(st.sampled_from(bodies))
    return b"".join([line + b"\r\n" for line in [*header, *body]]) + b".\r\n"


hellos = st.sampled_from([
    b"EHLO mail.example", b"HELO x", b"EHLO", b"EHLO [192.0.2.1]", b"HELO mx.bench.test", b"EHLO 10.0.0.1",
    b"EHLO h\xff\x01" + b"z" * 300, b"HELO [IPv6:2001:db8::1]"])
parameters = st.sampled_from([b"", b"", b"", b" SIZE=10", b" SIZE=1000", b" BODY=8BITMIME SMTPUTF8", b" SMTPUTF8", b" AUTH=<>"])
mails = st.builds(lambda address, more: b"MAIL FROM:<" + address + b">" + more, senders, parameters)
rcpts = addresses.map(lambda address: b"RCPT TO:<" + address + b">")
others = st.sampled_from([
    b"RSET", b"NOOP", b"VRFY x", b"HELP", b"NONSENSE", b"DATA", b"MAIL FROM:<", b"RCPT", b"RCPT TO:<>", b"MAIL FROM:<a@b> X=1",
    b"", b"\0\xff", b"z" * 1200])

Step = bytes | tuple[bytes]
"""A line without its end; or a message, in a tuple, that is sent after DATA when the client may."""


@st.composite
def transactions(draw: st.DrawFn) -> list[Step]:
    """A message to some recipients, with something else between now and then."""
    steps: list[Step] = [draw(mails), *draw(st.lists(rcpts, min_size=1, max_size=5))]
    if draw(st.integers(0, 4)) == 0:
        steps.insert(draw(st.integers(0, len(steps))), draw(others | mails | hellos))
    return [*steps, (draw(messages()),)]


@st.composite
def sessions(draw: st.DrawFn) -> list[Step]:
    """HELO or not, some transactions and other talk, QUIT or not."""
    steps: list[Step] = list(draw(st.lists(hellos, min_size=0, max_size=2)))
    for _ in range(draw(st.integers(1, 3))):
        steps += draw(transactions() | transactions() | st.lists(hellos | mails | rcpts | others, max_size=4))
    return [*steps, *draw(st.sampled_from([[b"QUIT"], []]))]


def at_once(steps: list[Step]) -> bytes:
    """All of it without waiting for an answer."""
    return b"".join([b"DATA\r\n" + step[0] if isinstance(step, tuple) else step + b"\r\n" for step in steps])
