"""Who is asked about an address, how long the client waits, and what is remembered of the answer."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import turns
from qsmtpd.lookups.callouts import BlockingCallouts, CalloutSettings
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.lookups.store import NoStore
from qsmtpd.lookups.warmcallouts import UnderWay, WarmCallouts
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules.atonce import complete
from tests.onloop import Blocking, OnLoop, on_loop
from tests.servers import free_port, wait_until
from tests.upstreams import Upstream, polite, upstream

JOE = b"Joe@Far.example"


class Names:
    """A DNS: (name, kind): answers; everything else has no records, and broken names have no answer."""

    def __init__(self, records: dict[tuple[bytes, str], tuple[bytes, ...]], broken: frozenset[bytes] = frozenset()) -> None:
        self.records = records
        self.broken = broken
        self.asked: list[tuple[bytes, str]] = []

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        self.asked.append((name, kind))
        if name in self.broken:
            raise LookupFailedError("SERVFAIL")
        return self.records.get((name, kind), ())

    async def prefetch(self, questions: Sequence[tuple[bytes, str]]) -> None:
        pass


NAMES = {(b"far.example", "MX"): (b"mx.far.example",), (b"mx.far.example", "A"): (b"127.0.0.1",)}


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Site:
    """A control directory and a store; sessions of it.

    running  the loop of a listener; None for processes of one session
    """

    def __init__(self, path: Path, running: OnLoop | None) -> None:
        self.path = path
        self.running = running
        self.under_way = running and UnderWay(running.loop)
        self.clock = Clock()
        self.store = SqliteStore(str(path / "store/s.sqlite"), clock=self.clock)
        self.write("me", "mx.example.org")
        self.write("calloutallow", "127.0.0.1")

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(f"{text}\n")

    def session(
            self, port: int = 25, names: Names | None = None, store: SqliteStore | NoStore | None = None) -> BlockingCallouts:
        """The callouts of a new session; the store is asked where the loop is: that is not what is tested here."""
        control, dns = Control(str(self.path)), names or Names(NAMES)
        if self.running is None:
            return BlockingCallouts(control, dns, lambda: store or self.store, port)
        assert self.under_way is not None
        inner = WarmCallouts(CalloutSettings(control, port), dns, lambda: store or self.store, self.under_way)
        return Blocking(self.running, inner)  # type: ignore[return-value]  # it has the same methods

    def finish(self, session: BlockingCallouts) -> None:
        """Wait until what is under way has come to its end."""
        if self.running is None:
            complete(session.finish())
        else:
            assert self.under_way is not None
            under_way = self.under_way
            wait_until(lambda: not under_way.count)

    def sender(self, server: Upstream, address: bytes = JOE) -> bool | None:
        """The answer to a new session."""
        return complete(self.session(server.port).sender(address))


@pytest.fixture(params=["blocking", "warm"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """With sessions that have a process each, then with those of a listener."""
    if request.param == "blocking":
        site = Site(tmp_path, None)
        yield site
        site.store.close()
        return
    with on_loop() as running:
        site = Site(tmp_path, running)
        yield site
        assert site.under_way is not None
        running.call(site.under_way.close)
        running.call(site.store.close)


def test_a_sender_that_exists(site: Site) -> None:
    with upstream(polite()) as server:
        assert site.sender(server) is True
        wait_until(lambda: b"QUIT" in server.heard)
        assert server.heard == [b"EHLO mx.example.org", b"MAIL FROM:<>", b"RCPT TO:<Joe@Far.example>", b"QUIT"]
        assert site.sender(server, b"joe@far.example") is True
        assert server.visits == 1, "the second answer comes from the store"


@pytest.mark.parametrize(("answer", "verdict", "lifetime"), [
    (b"250 ok", True, 7 * 86400), (b"550 5.1.1 no", False, 7200)])
def test_how_long_an_answer_is_remembered(site: Site, answer: bytes, verdict: bool, lifetime: int) -> None:
    """A101: "no such address" is soon asked again."""
    with upstream(polite({b"RCPT": answer})) as server:
        assert site.sender(server) is verdict
        site.clock.ahead = lifetime - 60
        assert site.sender(server) is verdict
        assert server.visits == 1
        site.clock.ahead = lifetime + 60
        assert site.sender(server) is verdict
        assert server.visits == 2


@pytest.mark.parametrize("answers", [
    {b"RCPT": b"450 greylisted"}, {b"RCPT": b"554 5.7.1 you are listed"}, {b"MAIL": b"550 no bounces"}, {b"EHLO": b"421 busy"}])
def test_what_is_no_answer_is_not_remembered(site: Site, answers: dict[bytes, bytes]) -> None:
    with upstream(polite(answers)) as server:
        for visits in (1, 2):
            with pytest.raises(LookupFailedError, match="callout: "):
                site.sender(server)
            assert server.visits == visits


def test_an_answer_that_is_late_is_there_for_the_next_attempt(site: Site) -> None:
    """The client waits so long and no longer; the question goes on when it has gone; its retry needs nobody."""
    site.write("callouttimeout", "1")
    with upstream(polite(slow=2.5)) as server:
        first = site.session(server.port)
        begin = time.monotonic()
        with pytest.raises(LookupFailedError, match="no answer yet"):
            complete(first.sender(JOE))
        assert 0.9 < time.monotonic() - begin < 2.2
        site.finish(first)
        assert site.sender(server) is True
        assert server.visits == 1


def test_an_answer_that_is_late_within_the_session(site: Site) -> None:
    """MAIL again, of the same sender: the same question goes on."""
    site.write("callouttimeout", "1")
    with upstream(polite({b"RCPT": b"550 5.1.1 no"}, slow=1.5)) as server:
        session = site.session(server.port)
        with pytest.raises(LookupFailedError):
            complete(session.sender(JOE))
        assert complete(session.sender(JOE)) is False
        assert server.visits == 1


def test_a_session_has_one_question_under_way(site: Site) -> None:
    """A101: slow servers do not add up, neither connections nor seconds."""
    site.write("callouttimeout", "1")
    with upstream(polite(slow=3)) as server:
        session = site.session(server.port)
        with pytest.raises(LookupFailedError, match="no answer yet"):
            complete(session.sender(JOE))
        begin = time.monotonic()
        with pytest.raises(LookupFailedError, match="another one of this session"):
            complete(session.sender(b"other@elsewhere.example"))
        assert time.monotonic() - begin < 0.5
        site.finish(session)


def test_finish_without_a_question(site: Site) -> None:
    site.finish(site.session())


def test_one_question_for_a_domain(site: Site) -> None:
    """A101: many sessions with forged senders at one victim are one connection to it."""
    site.write("callouttimeout", "1")
    with upstream(polite(slow=2)) as server:
        first = site.session(server.port)
        with pytest.raises(LookupFailedError, match="no answer yet"):
            complete(first.sender(JOE))
        with pytest.raises(LookupFailedError, match="under way"):
            site.sender(server, b"other@far.example")
        site.finish(first)
        assert server.visits == 1


def test_so_many_for_a_domain(site: Site) -> None:
    """A101."""
    site.write("calloutdomainrate", "3")
    with upstream(polite()) as server:
        answers = [ask(lambda i=i: site.sender(server, b"%d@far.example" % i)) for i in range(20)]

    assert answers.count(True) == server.visits
    assert 3 <= server.visits <= 5


def ask(question: Callable[[], bool | None]) -> bool | None:
    try:
        return question()
    except LookupFailedError:
        return None


def test_so_many_in_all(site: Site) -> None:
    site.write("calloutrate", "1")
    records = {(b"%d.example" % i, "A"): (b"127.0.0.1",) for i in range(5)}
    with upstream(polite()) as server:
        for i in range(5):
            session = site.session(server.port, Names(records))
            ask(lambda session=session, i=i: complete(session.sender(b"joe@%d.example" % i)))
        assert server.visits <= 2


@pytest.mark.parametrize(("records", "broken", "why"), [
    ({}, (), "no server with an address"),
    ({(b"far.example", "MX"): (b"mx",), (b"mx", "A"): (b"10.0.0.1", b"192.168.1.1"),
      (b"far.example", "A"): (b"127.0.0.1",)}, (),
     "no server with an address"),
    ({(b"far.example", "MX"): (b"169.254.169.254",)}, (), "no server with an address"),
    ({(b"far.example", "MX"): (b"mx",), (b"mx", "AAAA"): (b"::ffff:169.254.169.254",)}, (), "no server with an address"),
    ({}, (b"far.example",), "SERVFAIL"),
    ({(b"far.example", "MX"): (b"a", b"b", b"c"), (b"c", "A"): (b"127.0.0.1",)}, (b"a", b"b"), "SERVFAIL")])
def test_nobody_to_ask(
        site: Site, records: dict[tuple[bytes, str], tuple[bytes, ...]], broken: tuple[bytes, ...], why: str) -> None:
    """A101, A164: no private address, no metadata service; at most two hosts; and the turn is given back."""
    with upstream(polite()) as server:
        for _ in range(2):
            with pytest.raises(LookupFailedError, match=f"callout: {why}"):
                complete(site.session(server.port, Names(records, frozenset(broken))).sender(JOE))
        assert server.visits == 0


def test_a_domain_that_takes_no_mail(site: Site) -> None:
    """RFC 7505: no server has to be asked."""
    names = Names({(b"far.example", "MX"): (b"",), (b"far.example", "A"): (b"127.0.0.1",)})

    assert complete(site.session(free_port(), names).sender(JOE)) is False


def test_a_domain_without_mx_is_its_own(site: Site) -> None:
    with upstream(polite()) as server:
        assert complete(site.session(server.port, Names({(b"far.example", "A"): (b"127.0.0.1",)})).sender(JOE)) is True


@pytest.mark.parametrize("address", [b"joe", b"joe@[127.0.0.1]", "jö@far.example".encode(), b"joe@far.example\r\nDATA"])
def test_an_address_that_cannot_be_asked_for(site: Site, address: bytes) -> None:
    with upstream(polite()) as server:
        with pytest.raises(LookupFailedError, match="callout: an address"):
            site.sender(server, address)
        assert server.visits == 0


def test_without_a_store_nobody_is_asked(site: Site) -> None:
    """What cannot be remembered would be asked for each message."""
    with upstream(polite()) as server:
        session = site.session(server.port, store=NoStore("no store"))
        with pytest.raises(LookupFailedError, match="no store"):
            complete(session.sender(JOE))
        assert server.visits == 0


def test_calloutip_and_helohost(site: Site) -> None:
    site.write("calloutip", "127.0.0.9 ::1")
    site.write("helohost", "probe.example.org")
    peers: list[str] = []
    answer = polite()
    with upstream(lambda visit: (peers.append(visit.connection.getpeername()[0]), answer(visit))[1]) as server:
        assert site.sender(server) is True

    assert peers == ["127.0.0.9"]
    assert server.heard[0] == b"EHLO probe.example.org"


@pytest.mark.parametrize(("name", "text"), [
    ("calloutip", "mx.example.org"), ("calloutallow", "10.0.0.0/99"), ("smtproutes", "far.example"),
    ("callouttimeout", "soon")])
def test_control_files_that_make_no_sense(site: Site, name: str, text: str) -> None:
    site.write(name, text)

    with pytest.raises(ControlError, match=name):
        site.session()


def test_a_recipient_at_the_next_hop(site: Site) -> None:
    """The site's own server, so in its own network; its words are remembered for an hour when there is no such address."""
    site.path.joinpath("calloutallow").unlink()
    with upstream(polite({b"RCPT TO:<bad": b"550 5.1.1 no"})) as server:
        site.write("smtproutes", f".example:127.0.0.1:{server.port}\nnamed.example:hop.example:{server.port}")
        names = Names({(b"hop.example", "A"): (b"127.0.0.1",)})

        def recipient(address: bytes) -> bool | None:
            return complete(site.session(25, names).recipient(address))

        assert recipient(b"good@far.example") is True
        assert recipient(b"good@named.example") is True
        assert recipient(b"bad@far.example") is False
        assert recipient(b"bad@far.example") is False
        assert server.visits == 3
        site.clock.ahead = 3660
        assert recipient(b"bad@far.example") is False
        assert server.visits == 4


def test_a_recipient_without_a_route(site: Site) -> None:
    """A101: neither the route for all others nor the MX of the domain is asked."""
    with upstream(polite()) as server:
        site.write("smtproutes", f":127.0.0.1:{server.port}\nfar.example:")
        with pytest.raises(LookupFailedError, match="smtproutes"):
            complete(site.session(server.port).recipient(JOE))
        assert server.visits == 0


def test_so_many_recipients(site: Site) -> None:
    site.write("calloutrcptrate", "2")
    with upstream(polite()) as server:
        site.write("smtproutes", f"far.example:127.0.0.1:{server.port}")
        session = site.session()
        for i in range(10):
            ask(lambda i=i: complete(session.recipient(b"%d@far.example" % i)))
        assert 2 <= server.visits <= 3


def test_the_store_fails_after_the_answer(site: Site) -> None:
    """The answer is good nevertheless, and the turn ends by itself."""
    class Forgetful(SqliteStore):
        async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
            raise LookupFailedError("disk full")

    store = Forgetful(str(site.path / "store/s.sqlite"))
    with upstream(polite()) as server:
        session = site.session(server.port, store=store)
        assert complete(session.sender(JOE)) is True
    site.running.call(store.close) if site.running else store.close()
    assert turns.PATIENCE < 600
