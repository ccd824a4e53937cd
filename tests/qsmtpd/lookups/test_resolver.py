"""The resolver against real name servers, its memory, its budget, and where its settings come from."""

import posix
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.dnssocket import Server
from qsmtpd.lookups.marks import STRIKES, Marks
from qsmtpd.lookups.resolver import PATIENCE, RESOLVER_MARK, Resolver, from_system, server, system_servers
from qsmtpd.lookups.warmdns import SessionDns, WarmDns
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules.atonce import complete
from tests.nameservers import internet, lying, nsd, open_directory, reply
from tests.onloop import Blocking, on_loop
from tests.servers import free_port

LONG = " ".join(f'"{number:0200d}"' for number in range(10))

ZONES = {
    "example.test": f"""
a     IN A     192.0.2.1
a     IN A     192.0.2.2
a     IN AAAA  2001:db8::1
mail  IN CNAME a
twice IN CNAME mail
@     IN MX    20 B
@     IN MX    10 mx.Example.TEST.
null  IN MX    0 .
text  IN TXT   "v=spf1 " "-all"
text  IN TXT   "other"
long  IN TXT   {LONG}
""" + "".join(f"many IN A 192.0.2.{number}\n" for number in range(200)),
    "2.0.192.in-addr.arpa": "1 IN PTR a.example.test.\n1 IN PTR Mail.Example.Test.\n",
}

RECORDS: dict[tuple[bytes, str], set[bytes]] = {
    (b"a.example.test", "A"): {b"192.0.2.1", b"192.0.2.2"},
    (b"A.EXAMPLE.TEST.", "A"): {b"192.0.2.1", b"192.0.2.2"},
    (b"a.example.test", "AAAA"): {b"2001:db8::1"},
    (b"a.example.test", "MX"): set(),
    (b"mail.example.test", "AAAA"): {b"2001:db8::1"},
    (b"twice.example.test", "A"): {b"192.0.2.1", b"192.0.2.2"},
    (b"null.example.test", "MX"): {b""},
    (b"text.example.test", "TXT"): {b"v=spf1 -all", b"other"},
    (b"none.example.test", "A"): set(),
    (b"1.2.0.192.in-addr.arpa", "PTR"): {b"a.example.test", b"mail.example.test"},
    (b"2.2.0.192.in-addr.arpa", "PTR"): set(),
    (b"many.example.test", "A"): {b"192.0.2.%d" % number for number in range(200)},
    (b"long.example.test", "TXT"): {b"".join(b"%0200d" % number for number in range(10))},
    (b"a..example.test", "A"): set(),
    (b"x" * 64 + b".example.test", "A"): set(),
    (b"", "A"): set(),
}


@pytest.fixture(scope="module")
def recursive() -> Iterator[int]:
    """unbound before nsd."""
    with internet(ZONES) as port:
        yield port


@pytest.fixture(scope="module")
def authoritative() -> Iterator[int]:
    """nsd by itself, which cuts what is longer than 1232 bytes, and refuses what it has not."""
    with open_directory() as place, nsd(place, ZONES) as port:
        yield port


def resolver(*ports: int, budget: float = 20, marks: Path | None = None) -> Resolver:
    return Resolver([Server("127.0.0.1", port) for port in ports], budget, Marks(str(marks)) if marks else None)


@pytest.fixture(params=["blocking", "warm"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The resolver of a process of one session, then that of the listener; what shares its marks is one process."""
    with on_loop() as running:
        processes: dict[object, WarmDns] = {}

        def warm(*ports: int, budget: float = 20, marks: Path | None = None) -> Blocking:
            servers = [Server("127.0.0.1", port) for port in ports]
            fresh = WarmDns(running.loop, servers, budget)
            shared = processes.setdefault(marks or object(), fresh)
            shared.servers, shared.budget = servers, budget
            return Blocking(running, SessionDns(shared))

        if request.param == "warm":
            monkeypatch.setitem(globals(), "resolver", warm)
        yield


both = pytest.mark.usefixtures("either")


def ask(asked: Resolver, name: bytes, kind: str = "A") -> tuple[bytes, ...]:
    return complete(asked.ask(name, kind))


@both
@pytest.mark.parametrize("which", ["recursive", "authoritative"])
def test_real_servers(which: str, request: pytest.FixtureRequest) -> None:
    """All at once, then one by one: the same."""
    port = request.getfixturevalue(which)
    together = resolver(port)
    complete(together.prefetch(list(RECORDS)))

    assert {key: set(ask(together, *key)) for key in RECORDS} == RECORDS
    assert {key: set(ask(resolver(port), *key)) for key in RECORDS} == RECORDS
    assert ask(together, b"example.test", "MX") == (b"mx.example.test", b"b.example.test")


@both
def test_long_answers_come_by_tcp(authoritative: int) -> None:
    """That the two long ones were cut is what makes the test above one of TCP."""
    for name, kind in ((b"long.example.test", "TXT"), (b"many.example.test", "A")):
        query = dns.message.make_query(name.decode(), kind, use_edns=0, payload=1232)
        assert dns.query.udp(query, "127.0.0.1", 5, authoritative).flags & dns.flags.TC
        assert set(ask(resolver(authoritative), name, kind)) == RECORDS[name, kind]


@both
def test_what_a_server_does_not_have_is_a_failure_and_no_lack_of_records(authoritative: int) -> None:
    with pytest.raises(LookupFailedError, match=r"A of elsewhere\.example: the answer was an error, rcode 5"):
        ask(resolver(authoritative), b"elsewhere.example")


@both
def test_what_was_asked_is_not_asked_again() -> None:
    """Answers, and failures too; in any case of letters, with a dot at the end and without."""
    with lying(lambda query: [reply(query, "A 192.0.2.1", rcode=0 if query[13:14] == b"a" else 2)]) as server:
        asked = resolver(server.port)
        complete(asked.prefetch([(b"A.test.", "A"), (b"a.test", "A"), (b"b.test", "A")]))
        for _ in range(3):
            assert ask(asked, b"a.TEST") == (b"192.0.2.1",)
            with pytest.raises(LookupFailedError):
                ask(asked, b"b.test")
        assert len(server.asked) == 2


@both
def test_a_server_that_is_dead_is_asked_once_in_a_session() -> None:
    """The one that has answered is the first from then on."""
    with lying(lambda _: []) as dead, lying(lambda query: [reply(query)]) as alive:
        asked = resolver(dead.port, alive.port)
        for number in range(5):
            assert ask(asked, b"n%d.test" % number) == ()
        assert (len(dead.asked), len(alive.asked)) == (1, 5)


@both
def test_a_name_from_outside_cannot_leave_the_line_that_names_it() -> None:
    """A44: what goes into the log is printable."""
    with lying(lambda query: [reply(query, rcode=2)]) as server, pytest.raises(LookupFailedError) as caught:
        ask(resolver(server.port), b"a\r\nb\xff.test")

    assert str(caught.value) == r'A of "a\x0d\x0ab\xff.test": the answer was an error, rcode 2'


@both
def test_the_budget_is_the_sessions() -> None:
    """A95: everything drops; after the budget all fails at once, and nothing is sent."""
    with lying(lambda _: []) as server:
        asked = resolver(server.port, budget=0.4)
        start = time.monotonic()
        for number in range(50):
            with pytest.raises(LookupFailedError):
                ask(asked, b"n%d.test" % number)
        assert 0.4 <= time.monotonic() - start < 3
        assert len(server.asked) == 1


@both
def test_one_batch_does_not_take_the_whole_budget() -> None:
    """A95: a zone that is dead leaves time for what is asked later."""
    with lying(lambda query: [] if query[13:14] == b"d" else [reply(query, "A 192.0.2.1")]) as server:
        asked = resolver(server.port, budget=PATIENCE + 2)
        start = time.monotonic()
        with pytest.raises(LookupFailedError, match="no answer in time"):
            ask(asked, b"dead.test")
        assert time.monotonic() - start < PATIENCE + 1
        assert ask(asked, b"a.test") == (b"192.0.2.1",)


@both
def test_no_time_at_all() -> None:
    """dnstimeout 0: nothing is asked."""
    with pytest.raises(LookupFailedError, match="time for DNS is used up"):
        ask(resolver(free_port(), budget=0), b"a.test")


@both
def test_dns_that_is_dead_rests_for_all_sessions(tmp_path: Path) -> None:
    """A95: a machine without DNS does not hold up each of its sessions."""
    with lying(lambda _: []) as server:
        for _ in range(STRIKES):
            with pytest.raises(LookupFailedError, match="no answer in time"):
                ask(resolver(server.port, budget=0.05, marks=tmp_path), b"a.test")
        with pytest.raises(LookupFailedError, match="not asked for a while"):
            ask(resolver(server.port, marks=tmp_path), b"a.test")
        assert len(server.asked) == STRIKES


def test_marks_are_files(tmp_path: Path) -> None:
    """So that the next process knows; an answer ends the row."""
    with lying(lambda query: [] if query[13:14] == b"d" else [reply(query)]) as server:
        for _ in range(STRIKES - 1):
            with pytest.raises(LookupFailedError):
                ask(resolver(server.port, budget=0.05, marks=tmp_path), b"dead.test")
        ask(resolver(server.port, marks=tmp_path), b"a.test")
        assert not list(tmp_path.iterdir())
        for _ in range(STRIKES):
            with pytest.raises(LookupFailedError):
                ask(resolver(server.port, budget=0.05, marks=tmp_path), b"dead.test")

    assert [path.name for path in tmp_path.iterdir()] == [RESOLVER_MARK.decode()]


@both
def test_an_answer_ends_the_row(tmp_path: Path) -> None:
    with lying(lambda query: [] if query[13:14] == b"a" else [reply(query)]) as server:
        for _ in range(STRIKES - 1):
            with pytest.raises(LookupFailedError, match="no answer in time"):
                ask(resolver(server.port, budget=0.05, marks=tmp_path), b"a.test")
        assert ask(resolver(server.port, marks=tmp_path), b"none.example.test") == ()
        with pytest.raises(LookupFailedError, match="no answer in time"):
            ask(resolver(server.port, budget=0.05, marks=tmp_path), b"a.test")


@both
def test_a_zone_that_rests_is_not_asked(tmp_path: Path) -> None:
    """It is marked by one session, and others see it; an answer of its own makes it unmarked."""
    with lying(lambda query: [reply(query, "A 127.0.0.2")]) as server:
        first = resolver(server.port, marks=tmp_path)
        assert first.strike(b"dul.test", STRIKES)
        other = resolver(server.port, marks=tmp_path)
        complete(other.prefetch([(b"2.0.0.127.dul.test", "A"), (b"2.0.0.127.else.test", "A")]))
        with pytest.raises(LookupFailedError, match="not asked for a while"):
            ask(other, b"2.0.0.127.dul.test")
        assert ask(other, b"2.0.0.127.else.test") == (b"127.0.0.2",)
        assert len(server.asked) == 1
        first.clear(b"dul.test")
        assert ask(resolver(server.port, marks=tmp_path), b"2.0.0.127.dul.test") == (b"127.0.0.2",)


@pytest.mark.parametrize(("word", "target"), [
    (b"127.0.0.1", ("127.0.0.1", 53)), (b"127.0.0.1:5353", ("127.0.0.1", 5353)), (b"::1", ("::1", 53)),
    (b"[::1]:5353", ("::1", 5353)), (b"fe80::1%lo", ("fe80::1%lo", 53)), (b"2001:db8::5353", ("2001:db8::5353", 53))])
def test_words_of_dnscacheip(word: bytes, target: tuple[str, int]) -> None:
    assert server(word).target == target


WRONG = [b"localhost", b"127.0.0.1:", b"127.0.0.1:0", b"127.0.0.1:65536", b"127.0.0.1:x", b"[::1]", b"[::1]:", b"\xff", b"::g"]


@pytest.mark.parametrize("word", WRONG)
def test_wrong_words_of_dnscacheip(word: bytes, tmp_path: Path) -> None:
    """The whole setting is wrong, and says so."""
    (tmp_path / "dnscacheip").write_bytes(b"127.0.0.1 " + word + b"\n")

    with pytest.raises(ControlError, match="dnscacheip: expected ADDRESS"):
        from_system(str(tmp_path))


def test_settings(tmp_path: Path, recursive: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNSCACHEIP is djbdns's variable, and wins over the file of its name; a dead server first, the right one behind it."""
    (tmp_path / "dnscacheip").write_text(f"127.0.0.1:{free_port()} 127.0.0.1:{recursive}\n")
    assert ask(from_system(str(tmp_path)), b"null.example.test", "MX") == (b"",)

    (tmp_path / "dnscacheip").write_text("nonsense\n")
    monkeypatch.setitem(posix.environ, b"DNSCACHEIP", b"127.0.0.1:%d" % recursive)
    assert ask(from_system(str(tmp_path)), b"null.example.test", "MX") == (b"",)

    (tmp_path / "dnstimeout").write_text("0\n")
    with pytest.raises(LookupFailedError):
        ask(from_system(str(tmp_path)), b"null.example.test", "MX")


def test_resolv_conf(tmp_path: Path) -> None:
    """nameserver lines as resolv.conf(5) has them; what is wrong is passed over, as libc does."""
    (tmp_path / "resolv.conf").write_text(
        "# comment\n; another\nsearch example.test\nnameserver 192.0.2.1\n nameserver\t::1  \nnameserver ns.test\nnameserver\n"
        "nameserver fe80::1%eth0\noptions timeout:1 attempts:5 ndots:3\n")
    targets = [each.target for each in system_servers(Control(str(tmp_path)))]
    assert targets == [("192.0.2.1", 53), ("::1", 53), ("fe80::1%eth0", 53)]


@pytest.mark.parametrize("text", [None, "", "search example.test\n", "nameserver nonsense\n"])
def test_no_server_in_resolv_conf_is_the_one_on_this_machine(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "resolv.conf").write_text(text)

    assert [each.target for each in system_servers(Control(str(tmp_path)))] == [("127.0.0.1", 53)]
