"""Callouts of many sessions; what one session is told is in test_callouts.py."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import warmcallouts
from qsmtpd.lookups.callouts import CalloutSettings
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.lookups.warmcallouts import UnderWay, WarmCallouts
from qsmtpd.lookups.warmstore import WarmStore
from qsmtpd.qmail.control import Control
from tests.onloop import Driven, OnLoop, on_loop, together
from tests.servers import wait_until
from tests.upstreams import polite, upstream


class Names:
    """A DNS in which everybody's MX is 127.0.0.1."""

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        return (b"127.0.0.1",) if kind == "A" else ()

    async def prefetch(self, questions: Sequence[tuple[bytes, str]]) -> None: ...

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        return False

    def clear(self, zone: bytes) -> None: ...


class Site:
    """A listener's callouts."""

    def __init__(self, path: Path, running: OnLoop) -> None:
        self.path = path
        self.running = running
        self.under_way = UnderWay(running.loop)
        self.store = WarmStore(running.loop, lambda: SqliteStore(f"{path}/state/s.sqlite"))
        for name, text in {"me": "mx.test", "calloutallow": "127.0.0.1", "callouttimeout": "1"}.items():
            (path / name).write_text(f"{text}\n")

    def session(self, port: int) -> WarmCallouts:
        settings = CalloutSettings(Control(str(self.path)), port)
        return WarmCallouts(settings, Names(), lambda: self.store, self.under_way)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with on_loop() as running:
        found = Site(tmp_path, running)
        yield found
        running.call(found.under_way.close)
        found.store.close()


def test_sessions_that_ask_the_same_share_the_answer(site: Site) -> None:
    """A101: one connection, also when they come at the same moment."""
    with upstream(polite(slow=0.5)) as server:
        results = together([site.session(server.port).sender(b"joe@far.test") for _ in range(50)], site.running)
        assert results == [True] * 50
        assert server.visits == 1


def test_recipients_too(site: Site) -> None:
    with upstream(polite({b"RCPT": b"550 5.1.1 no"}, slow=0.3)) as server:
        (site.path / "smtproutes").write_text(f"far.test:127.0.0.1:{server.port}\n")
        results = together([site.session(25).recipient(b"joe@far.test") for _ in range(20)], site.running)
        assert results == [False] * 20
        assert server.visits == 1


def test_the_client_has_gone_and_the_question_goes_on(site: Site) -> None:
    """Its coroutine is dropped; the answer is in the store when it comes again."""
    with upstream(polite(slow=1)) as server:
        asking = site.session(server.port).sender(b"joe@far.test")
        site.running.loop.call_soon_threadsafe(Driven(asking, Future()).step)
        wait_until(lambda: server.visits == 1)
        site.running.call(asking.close)
        wait_until(lambda: not site.under_way.count)
        assert site.running.complete(site.session(server.port).sender(b"joe@far.test")) is True
        assert server.visits == 1


def test_so_many_are_under_way(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A101: slow servers do not add up."""
    monkeypatch.setattr(warmcallouts, "AT_ONCE", 3)
    with upstream(polite(slow=2)) as server:
        results = together([site.session(server.port).sender(b"joe@d%d.test" % number) for number in range(10)], site.running)
        assert sum("too many under way" in str(result) for result in results) == 7
        assert sum("no answer yet" in str(result) for result in results) == 3
        wait_until(lambda: not site.under_way.count)
        assert server.visits == 3


def test_a_server_that_never_answers_is_left_in_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A101: and its domain may be asked again."""
    monkeypatch.setattr(warmcallouts, "AFTERWARDS", 0.5)
    before = len(os.listdir("/proc/self/fd"))
    with upstream(polite(slow=5)) as server:
        begin = time.monotonic()
        with pytest.raises(LookupFailedError, match="no answer yet"):
            site.running.complete(site.session(server.port).sender(b"joe@far.test"))
        assert time.monotonic() - begin < 1.4
        wait_until(lambda: not site.under_way.count, 3)
    with upstream(polite()) as server:
        assert site.running.complete(site.session(server.port).sender(b"joe@far.test")) is True
    site.store.close()
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_the_end_leaves_all_servers_alone(site: Site) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with upstream(polite(slow=3)) as server:
        with pytest.raises(LookupFailedError, match="no answer yet"):
            site.running.complete(site.session(server.port).sender(b"joe@far.test"))
        site.running.call(site.under_way.close)
        wait_until(lambda: not site.under_way.count)
    site.store.close()
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_a_machine_that_refuses_the_connection(site: Site) -> None:
    with upstream(polite()) as server:
        port = server.port
    with pytest.raises(LookupFailedError, match="Connection refused"):
        site.running.complete(site.session(port).sender(b"joe@far.test"))
