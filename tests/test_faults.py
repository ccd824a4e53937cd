"""The program as tcpserver starts it, with rules that ask for everything, while what they ask is dead, lies, or is full.

In each case: no 5xx that is a fault of ours, an end within the budgets of DNS and store, and a log that says why.
"""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cdbx
import pytest

from qsmtpd.qmail import logline
from tests.conftest import QmailHome
from tests.nameservers import lying, nsd, open_directory
from tests.play import run_program
from tests.servers import free_port
from tests.transcript import codes

PROGRAM = Path(sys.prefix) / "bin/qsmtpd"
"""With all that is optional beside it: SPF and Redis."""
TAGS = "dul dnsbl dul.far.test\nrss dnsbl rss.far.test\nbadurl rhsbl rhs.far.test\nfriends dnswl wl.far.test\n"
REFUSING = """\
banned                                 refuse
dul & (rss | badurl)                   refuse "{ip} is listed by {lists}"
noptr | ptr-generic                    refuse "{reason}"
sender-nodns | helo-nodns              refuse
spf-fail | spf-permerror               refuse "{reason}"
rate > 1000 & !known-good              refuse
any                                    header "X-Asked: {reason}"
"""
"""All of these are false for certain in the zone below, and unknown when nobody answers."""
ACCEPTING = "friends | known-good accept\nany refuse\n"
"""What is unknown here must not come to the refusal below it."""
GREYLISTING = "any greylist 5\n"
ZONE = """
@ MX 10 mail
mail A 192.0.2.1
@ TXT "v=spf1 ip4:192.0.2.0/24 -all"
2.0.0.127.dul A 127.0.0.2
2.0.0.127.rss A 127.0.0.2
2.0.0.127.wl A 127.0.0.2
"""
MESSAGE = b"DATA\r\nSubject: 1\r\n\r\nhello\r\n.\r\n"
TRANSACTION = b"MAIL FROM:<a@far.test>\r\n" + b"RCPT TO:<good@bench.test>\r\n" * 3 + MESSAGE
TALK = b"EHLO mail.far.test\r\n" + TRANSACTION * 2 + b"QUIT\r\n"
PATIENCE = 8.0
"""Seconds: one of the DNS, two of the store, and a slow machine."""


@pytest.fixture
def home(qmail_home: QmailHome) -> QmailHome:
    for name, text in {"rcpthosts": "bench.test", "tags": TAGS, "rules": REFUSING, "dnstimeout": "1"}.items():
        qmail_home.write(name, text)
    return qmail_home


class Heard:
    """codes  of all replies, log  the events with their pairs, seconds  it took, cpu  seconds of CPU."""

    def __init__(self, home: QmailHome, said: bytes = TALK, *, before: tuple[str, ...] = (), **env: bytes) -> None:
        variables = {
            "PROTO": b"TCP", "TCPREMOTEIP": b"192.0.2.1", "TCPREMOTEHOST": b"mail.far.test", "TCPLOCALPORT": b"25", **env}
        start, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        answer, log, self.exit_code = run_program([*before, PROGRAM], home, variables, said)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = time.monotonic() - start
        self.cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        self.codes = codes(answer)
        self.log = [logline.parse(line) for line in log.split(b"\n") if line]

    def lookups(self) -> bytes:
        """What the log says of look-ups that have failed."""
        return b"\n".join([pairs["why"] for event, pairs in self.log if event == "lookup"])

    def refused(self) -> list[int]:
        """The codes of recipients and messages; the lines of a message that was not wanted are commands that make no sense."""
        return [int(pairs["code"]) for event, pairs in self.log if event in ("rcpt", "message") and int(pairs["code"]) >= 500]


@contextmanager
def black_hole() -> Iterator[bytes]:
    """A name server that takes every question and answers none, as DNSCACHEIP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        yield b"127.0.0.1:%d" % hole.getsockname()[1]


@contextmanager
def behaving(behave: Callable[[bytes], list[bytes]]) -> Iterator[bytes]:
    with lying(behave) as server:
        yield b"127.0.0.1:%d" % server.port


@pytest.fixture
def healthy(home: QmailHome) -> Iterator[bytes]:
    with open_directory() as place, nsd(place, {"far.test": ZONE}) as port:
        yield b"127.0.0.1:%d" % port


def garbage(query: bytes) -> list[bytes]:
    """The right id and question, and nonsense behind it; a truncated one, an empty one, all ones."""
    return [query[:2] + b"\x81\x80\0\1\xff\xff\0\0\0\0" + query[12:] + b"\xc0\x0c" * 9, query[:7], b"", b"\xff" * 512]


def servfail(query: bytes) -> list[bytes]:
    return [query[:2] + b"\x81\x82" + query[4:6] + bytes(6) + query[12:]]


@contextmanager
def closed() -> Iterator[bytes]:
    yield b"127.0.0.1:%d" % free_port()


DNS_FAULTS = {
    "dead": black_hole, "nobody listens": closed, "garbage": lambda: behaving(garbage), "servfail": lambda: behaving(servfail),
    "echo": lambda: behaving(lambda query: [query]),
}


def test_all_is_well(home: QmailHome, healthy: bytes) -> None:
    """So that the others show what they mean to."""
    heard = Heard(home, DNSCACHEIP=healthy)

    assert heard.codes == [220, 250, *[250, 250, 250, 250, 354, 250] * 2, 221]
    assert heard.lookups() == b""


@pytest.mark.parametrize("fault", DNS_FAULTS)
@pytest.mark.parametrize("rules", [REFUSING, ACCEPTING, REFUSING + GREYLISTING], ids=["refusing", "accepting", "greylisting"])
def test_dns(fault: str, rules: str, home: QmailHome) -> None:
    """A93, A94, A95: the session ends in time, and nobody is refused for it."""
    home.write("rules", rules)
    with DNS_FAULTS[fault]() as server:
        heard = Heard(home, DNSCACHEIP=server)

    assert heard.codes[0] == 220
    assert heard.refused() == []
    assert heard.seconds < PATIENCE
    assert heard.lookups() != b""


# What makes the store fail

def no_directory(home: QmailHome) -> None:
    (home.path / "frontline").write_bytes(b"a file")


def corrupt(home: QmailHome) -> None:
    (home.path / "frontline").mkdir(mode=0o700)
    (home.path / "frontline/store.sqlite").write_bytes(os.urandom(8192))
    (home.path / "frontline/store.sqlite").chmod(0o600)


def everybodys(home: QmailHome) -> None:
    (home.path / "frontline").mkdir()
    (home.path / "frontline").chmod(0o777)


def somewhere_else(home: QmailHome) -> None:
    home.write("store", "sqlite:/nonexistent/deeper/store")


def nonsense(home: QmailHome) -> None:
    home.write("store", "mysql://root@localhost/frontline")


def redis_down(home: QmailHome) -> None:
    home.write("store", f"redis://127.0.0.1:{free_port()}/0")


@pytest.mark.parametrize("rules", [REFUSING, ACCEPTING, GREYLISTING], ids=["refusing", "accepting", "greylisting"])
@pytest.mark.parametrize("spoil", [no_directory, corrupt, everybodys, somewhere_else, nonsense, redis_down])
def test_store(spoil: Callable[[QmailHome], None], rules: str, home: QmailHome, healthy: bytes) -> None:
    """A110, A132: what it would say is unknown; who would be accepted is deferred at worst."""
    home.write("rules", rules)
    spoil(home)

    heard = Heard(home, DNSCACHEIP=healthy)

    assert heard.codes[0] == 220
    assert heard.refused() == []
    assert heard.seconds < PATIENCE
    assert b"store" in heard.lookups()
    if rules == GREYLISTING:
        assert heard.codes.count(354) == 2


def test_a_redis_that_never_answers(home: QmailHome, healthy: bytes) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        home.write("store", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        heard = Heard(home, DNSCACHEIP=healthy)

    assert heard.refused() == []
    assert heard.codes.count(354) == 2
    assert heard.seconds < PATIENCE


@pytest.mark.root
def test_no_room_for_the_store(home: QmailHome, healthy: bytes) -> None:
    """A137: mail flows when the disk of the store is full."""
    home.write("rules", GREYLISTING)
    state = home.path / "frontline"
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", state], check=True)
    try:
        heard = Heard(home, DNSCACHEIP=healthy)
    finally:
        subprocess.run(["umount", state], check=True)

    assert heard.codes == [220, 250, *[250, 250, 250, 250, 354, 250] * 2, 221]
    assert b"store" in heard.lookups()


@pytest.mark.parametrize("body", ["kill -9 $$", "kill -SEGV $$", "exit 111", "exec /nonexistent 2>/dev/null"])
def test_a_program_that_knows_recipients_and_crashes(body: str, home: QmailHome, healthy: bytes) -> None:
    (home.path / "bin/check").write_text(f"#!/bin/sh\n{body}\n")
    (home.path / "bin/check").chmod(0o755)
    home.write("rcptcheck", "bin/check")

    heard = Heard(home, DNSCACHEIP=healthy)

    assert heard.codes[:3] == [220, 250, 250]
    assert heard.codes[3] // 100 == 4
    assert heard.refused() == []


@pytest.mark.parametrize("megabytes", [16, 18, 40])
def test_in_little_memory(megabytes: int, home: QmailHome, healthy: bytes) -> None:
    """A52, A138: store, DNS and SPF fit the 40 MB that INSTALL gives; with less, what does not fit is unknown, or it is 4xx."""
    home.write("rules", REFUSING + GREYLISTING)

    heard = Heard(home, DNSCACHEIP=healthy, before=("softlimit", "-m", f"{megabytes}000000"))

    assert heard.codes[0] == 220
    assert heard.refused() == []
    if megabytes == 40:
        assert heard.codes[3:6] == [451] * 3
        assert heard.lookups() == b""
        assert {event for event, _ in heard.log} == {"rcpt", "session"}


# What changes while a session lasts

class Talking:
    """A session of which one line is said at a time."""

    def __init__(self, home: QmailHome) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20)
        env = {"QMAILHOME": str(home.path), "PATH": "/usr/bin:/bin", "PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1"}
        self.process = subprocess.Popen([PROGRAM], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=env)
        theirs.close()

    def say(self, line: bytes = b"") -> int:
        """The code of the answer."""
        if line:
            self.socket.sendall(line + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n") or answer.split(b"\r\n")[-2][3:4] == b"-":
            piece = self.socket.recv(4096)
            assert piece, "the session has ended"
            answer += piece
        return codes(answer)[-1]

    def close(self) -> None:
        self.socket.close()
        self.process.wait(20)


@pytest.fixture
def talking(home: QmailHome) -> Iterator[Talking]:
    home.write("rules", "badmailfrom refuse\nvip accept\nrelay accept\n")
    home.write("tags", "vip rcpt vips\n")
    home.write("badmailfrom", "x@far.test")
    home.write("vips", "vip@bench.test")
    write_cdb(home, "validrcptto.cdb", b"good@bench.test")
    session = Talking(home)
    assert session.say() == 220
    yield session
    session.close()


def write_cdb(home: QmailHome, name: str, *keys: bytes) -> None:
    """As an administrator's tools do: a new file, in the place of the old one."""
    new = home.control / f"{name}.tmp"
    with new.open("wb") as file:
        maker = cdbx.CDB.make(file)
        for key in keys:
            maker.add(key, b"")
        maker.commit()
    new.rename(home.control / name)


def test_rules_and_databases_that_change_in_a_session(home: QmailHome, talking: Talking) -> None:
    """A144: a session goes on as it began, whatever is written meanwhile, right or wrong; the next one has the new state."""
    assert [talking.say(line) for line in (b"EHLO x", b"MAIL FROM:<a@far.test>", b"RCPT TO:<good@bench.test>")] == [250] * 3
    home.write("rules", "any refuse")
    home.write("tags", "this is nonsense")
    home.write("badmailfrom", "a@far.test\n")
    home.write("rcpthosts", "elsewhere.test")
    home.write("databytes", "1")
    write_cdb(home, "validrcptto.cdb", b"other@bench.test")

    said = [b"RCPT TO:<good@bench.test>", b"RCPT TO:<bad@bench.test>", b"RCPT TO:<x@elsewhere.test>", b"RSET",
            b"MAIL FROM:<a@far.test>", b"RCPT TO:<good@bench.test>", b"DATA"]
    assert [talking.say(line) for line in said] == [250, 550, 553, 250, 250, 250, 354]
    assert talking.say(b"Subject: 1\r\n\r\nhello\r\n.") == 250

    assert Heard(home).codes == [421]


def test_a_database_that_goes_away_in_a_session(home: QmailHome, talking: Talking) -> None:
    assert [talking.say(line) for line in (b"EHLO x", b"MAIL FROM:<a@far.test>", b"RCPT TO:<good@bench.test>")] == [250] * 3
    (home.control / "validrcptto.cdb").unlink()

    assert talking.say(b"RCPT TO:<bad@bench.test>") == 550
    assert talking.say(b"RCPT TO:<good@bench.test>") == 250


# Large files

def large_rules(home: QmailHome) -> None:
    home.write("rules", "".join(f'rcpt > {n} & badrcpt > {n} refuse "rule {n}"\n' for n in range(3000)))


def a_megabyte_of_rules(home: QmailHome) -> None:
    home.write("rules", "".join(f'rcpt > {n} & badrcpt > {n} refuse "{"x" * 900}"\n' for n in range(1100)))


def a_megabyte_of_comments(home: QmailHome) -> None:
    home.write("rules", "# why\n" * 175_000 + 'any header "X-A: 1"\n')


def wide_rule(home: QmailHome) -> None:
    home.write("rules", ("(" * 60 + "relay" + ")" * 60 + " & " + " & ".join(["!relay"] * 80) + " refuse\n") * 200)


def many_tags(home: QmailHome) -> None:
    home.write("tags", "".join(f"t{n} env VARIABLE{n}\n" for n in range(500)))
    home.write("rules", "".join(f"t{n} refuse\n" for n in range(500)))


def many_senders(home: QmailHome) -> None:
    home.write("rules", "badmailfrom refuse\nbadrcptto refuse\n")
    lines = [f"u{n}@spam{n}.example\n@h{n}.example\n.s{n}.example\n*offer{n}*@*.example\n" for n in range(2500)]
    for name in ("badmailfrom", "badrcptto"):
        home.write(name, "".join(lines))


LARGE = [large_rules, a_megabyte_of_rules, a_megabyte_of_comments, wide_rule, many_tags, many_senders]


@pytest.mark.parametrize("write", LARGE)
def test_large_files(write: Callable[[QmailHome], None], home: QmailHome) -> None:
    """A session takes its time to read them, and not more: seconds of CPU, on a slow machine."""
    write(home)

    heard = Heard(home)

    assert heard.codes == [220, 250, *[250, 250, 250, 250, 354, 250] * 2, 221]
    assert heard.cpu < 3


@pytest.mark.parametrize("write", LARGE)
def test_large_files_in_little_memory(write: Callable[[QmailHome], None], home: QmailHome) -> None:
    write(home)

    heard = Heard(home, before=("softlimit", "-m", "40000000"))

    assert heard.codes
    assert heard.refused() == []
