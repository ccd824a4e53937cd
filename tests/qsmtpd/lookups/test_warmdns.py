"""Many sessions and one DNS; what one session sees is in test_resolver.py."""

import os
import socket
import time
from collections.abc import Iterator

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import warmdns
from qsmtpd.lookups.dnssocket import Server
from qsmtpd.lookups.marks import STRIKES
from qsmtpd.lookups.resolver import RESOLVER_MARK
from qsmtpd.lookups.warmdns import SessionDns, WarmDns
from tests.nameservers import lying, reply
from tests.onloop import OnLoop, on_loop, together
from tests.servers import wait_until


@pytest.fixture
def running() -> Iterator[OnLoop]:
    with on_loop() as running:
        yield running


def dns(running: OnLoop, *ports: int, budget: float = 10) -> WarmDns:
    return WarmDns(running.loop, [Server("127.0.0.1", port) for port in ports], budget)


def sockets() -> int:
    return sum(target(fd).startswith("socket:") for fd in os.listdir("/proc/self/fd"))


def target(fd: str) -> str:
    """What a descriptor stands for; "" when it has been closed meanwhile."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return ""


def test_what_many_ask_at_once_is_asked_once(running: OnLoop) -> None:
    """A flood from many addresses asks for the same sender's domain, and the same zones' test points."""
    def behave(query: bytes) -> list[bytes]:
        time.sleep(0.2)
        return [reply(query, "A 192.0.2.1")]

    with lying(behave) as server:
        shared = dns(running, server.port)
        answers = together([SessionDns(shared).ask(b"a.test", "A") for _ in range(200)], running)
        assert answers == [(b"192.0.2.1",)] * 200
        assert len(server.asked) == 1
        assert running.complete(SessionDns(shared).ask(b"a.test", "A")) == (b"192.0.2.1",)
        assert len(server.asked) == 2, "nothing is kept for those who come later: the name server has a cache"


def test_so_many_are_under_way_and_the_others_wait(running: OnLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A95: descriptors are for clients; no session fails because another one asks much."""
    monkeypatch.setattr(warmdns, "AT_ONCE", 10)
    most = 0

    def behave(query: bytes) -> list[bytes]:
        nonlocal most
        most = max(most, sockets())
        return [reply(query, "A 192.0.2.1")]

    with lying(behave) as server:
        before = sockets()
        shared = dns(running, server.port, budget=60)
        answers = together([SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(100)], running)
        assert answers == [(b"192.0.2.1",)] * 100
        assert most <= before + 10
        assert sockets() == before


def test_no_rounding_leaves_a_session_time_that_is_used_up(running: OnLoop) -> None:
    """0.004 less 1000.004 - 1000 is not 0: of a hundred sessions some would ask again, though no time is left."""
    with lying(lambda _: []) as server:
        for number in range(100):
            session = SessionDns(dns(running, server.port, budget=0.004))
            with pytest.raises(LookupFailedError, match="no answer in time"):
                running.complete(session.ask(b"a%d.test" % number, "A"))
            with pytest.raises(LookupFailedError, match="time for DNS is used up"):
                running.complete(session.ask(b"b%d.test" % number, "A"))
        wait_until(lambda: len(server.asked) >= 100)
        assert len(server.asked) == 100


def test_too_many_at_once_is_no_answer_and_nobodys_fault(running: OnLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmdns, "AT_ONCE", 2)
    monkeypatch.setattr(warmdns, "WAITING_MAX", 5)
    with lying(lambda _: []) as server:
        shared = dns(running, server.port, budget=0.3)
        failures = together([SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(20)], running)
        assert sum("too many questions at once" in str(failure) for failure in failures) == 13
        assert all(isinstance(failure, LookupFailedError) for failure in failures)


def test_who_waits_no_more_is_not_asked_for(running: OnLoop) -> None:
    """A95: the client has gone, or its time is up: neither sockets nor memory are left."""
    with lying(lambda _: []) as server:
        before = sockets()
        shared = dns(running, server.port, budget=0.3)
        asking = SessionDns(shared).ask(b"gone.test", "A")
        running.call(lambda: asking.send(None))
        assert sockets() == before + 1
        running.call(asking.close)
        assert sockets() == before
        together([SessionDns(shared).ask(b"late%d.test" % number, "A") for number in range(20)], running)
        assert sockets() == before
        assert not shared._asking


def test_one_who_goes_does_not_take_the_question_along(running: OnLoop) -> None:
    def behave(query: bytes) -> list[bytes]:
        time.sleep(0.3)
        return [reply(query, "A 192.0.2.1")]

    with lying(behave) as server:
        shared = dns(running, server.port)
        asking = SessionDns(shared).ask(b"a.test", "A")
        running.call(lambda: asking.send(None))
        others = [SessionDns(shared).ask(b"a.test", "A") for _ in range(3)]
        running.loop.call_soon_threadsafe(asking.close)
        assert together(others, running) == [(b"192.0.2.1",)] * 3


def test_a_dead_zone_is_not_a_dead_dns(running: OnLoop) -> None:
    """While any session hears of a name server, others that hear nothing do not make it rest."""
    with lying(lambda query: [] if b"dead" in query else [reply(query, "A 192.0.2.1")]) as server:
        shared = dns(running, server.port, budget=0.5)

        async def lively() -> None:
            for number in range(30):
                await SessionDns(shared).ask(b"alive%d.test" % number, "A")
                await running.pause(0.05)

        dead = [SessionDns(shared).ask(b"n%d.dead.test" % number, "A") for number in range(10)]
        results = together([lively(), *dead], running)
        assert results[0] is None
        assert all("no answer in time" in str(failure) for failure in results[1:])
        assert not shared.marks.has(RESOLVER_MARK, time.time())


def test_a_dead_dns_rests(running: OnLoop) -> None:
    """A95: a flood without DNS asks a few times, and then nobody waits for it for a while."""
    with lying(lambda _: []) as server:
        shared = dns(running, server.port, budget=0.2)
        together([SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(STRIKES)], running)
        begin = time.monotonic()
        failures = together([SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(100)], running)
        assert time.monotonic() - begin < 1
        assert all("not asked for a while" in str(failure) for failure in failures)
        assert len(server.asked) == STRIKES


def lame(query: bytes) -> bytes:
    """No answer, no authority, no recursion: a server that knows nothing, and asks nobody."""
    answer = bytearray(reply(query))
    answer[2] &= ~4
    answer[3] &= 0x7F
    return bytes(answer)


def test_a_server_that_says_nothing_does_not_say_that_there_is_nothing(running: OnLoop) -> None:
    """A93: else a wrong line in DNSCACHEIP would make every client one without a name."""
    with lying(lambda query: [lame(query)]) as server, pytest.raises(LookupFailedError, match="rcode 0"):
        running.complete(SessionDns(dns(running, server.port)).ask(b"1.2.0.192.in-addr.arpa", "PTR"))


def test_a_dead_server_costs_many_sessions_one_wait(running: OnLoop) -> None:
    """The server that answers is the first for all."""
    with lying(lambda _: []) as dead, lying(lambda query: [reply(query, "A 192.0.2.1")]) as alive:
        shared = dns(running, dead.port, alive.port)
        assert running.complete(SessionDns(shared).ask(b"a.test", "A")) == (b"192.0.2.1",)
        begin = time.monotonic()
        together([SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(50)], running)
        assert time.monotonic() - begin < 0.9
        assert len(dead.asked) == 1


def test_each_query_has_a_port_of_its_own(running: OnLoop) -> None:
    """A93: who wants to forge an answer has to guess the port, too."""
    ports = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        shared = dns(running, server.getsockname()[1])
        asking = [SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(50)]
        running.call(lambda: [each.send(None) for each in asking])
        for _ in range(50):
            ports.add(server.recvfrom(4096)[1][1])
        running.call(lambda: [each.close() for each in asking])
    assert len(ports) == 50


def test_the_end_ends_everything(running: OnLoop) -> None:
    """Those who still wait are told at once."""
    with lying(lambda _: []) as server:
        before = sockets()
        shared = dns(running, server.port)
        running.loop.call_soon_threadsafe(lambda: running.loop.call_later(0.2, shared.close))
        begin = time.monotonic()
        failures = together([SessionDns(shared).ask(b"n%d.test" % number, "A") for number in range(10)], running)
        assert time.monotonic() - begin < 2
        assert all(isinstance(failure, LookupFailedError) for failure in failures)
        wait_until(lambda: sockets() == before)
