"""The store off the loop: order, bounds, and stores that stand still.  What it answers is in test_store.py."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import warmstore
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.lookups.store import NoStore
from qsmtpd.lookups.warmstore import CONNECTIONS, WarmStore, store_of_site
from qsmtpd.qmail.control import Control, ControlError
from tests.onloop import OnLoop, on_loop, together
from tests.servers import wait_until


@pytest.fixture
def running() -> Iterator[OnLoop]:
    with on_loop() as running:
        yield running


class Standing(NoStore):
    """A store that stands still until it is told to go on.

    asked  by which threads
    """

    def __init__(self) -> None:
        super().__init__("")
        self.go = threading.Event()
        self.asked: list[int] = []
        self.closed = False

    async def get(self, key: bytes) -> bytes | None:
        self.asked.append(threading.get_ident())
        self.go.wait(50)
        if key == b"wrong":
            raise KeyError(key)
        return key

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def standing(running: OnLoop) -> Iterator[tuple[Standing, WarmStore]]:
    inner = Standing()
    store = WarmStore(running.loop, lambda: inner)
    yield inner, store
    inner.go.set()
    store.close()


def test_many_at_once(running: OnLoop, tmp_path: Path) -> None:
    """No addition is lost, no claim given twice, and one thread has the file."""
    before = threads()
    store = WarmStore(running.loop, lambda: SqliteStore(f"{tmp_path}/state/s.sqlite"))
    together([store.count(b"a", 1, 1e12) for _ in range(200)], running)
    claims = together([store.claim(b"c", 60) for _ in range(100)], running)

    assert running.complete(store.count(b"a", 0, 1e12)) == pytest.approx(200)
    assert claims.count(True) == 1
    assert threads() == before + 1
    store.close()
    wait_until(lambda: threads() <= before)


def threads() -> int:
    """Those of stores; one that another test has closed may be about to end."""
    return [thread.name for thread in threading.enumerate()].count("store")


def test_what_is_put_is_there_for_whoever_asks_afterwards(running: OnLoop, tmp_path: Path) -> None:
    store = WarmStore(running.loop, lambda: SqliteStore(f"{tmp_path}/state/s.sqlite"))
    together([store.put(b"a", b"1", 60), store.put(b"a", b"2", 60)], running)
    assert running.complete(store.get(b"a")) == b"2"
    store.close()


def test_the_loop_goes_on_while_the_store_stands_still(running: OnLoop, standing: tuple[Standing, WarmStore]) -> None:
    inner, store = standing
    asking = store.get(b"a")
    running.call(lambda: asking.send(None))
    wait_until(lambda: bool(inner.asked))
    begin = time.monotonic()
    running.call(lambda: None)
    assert time.monotonic() - begin < 0.5
    assert inner.asked[0] != running.call(threading.get_ident)
    running.call(asking.close)


def test_a_store_that_does_not_answer(
        running: OnLoop, standing: tuple[Standing, WarmStore], monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs: unknown after some seconds, and it recovers by itself."""
    monkeypatch.setattr(warmstore, "PATIENCE", 0.2)
    inner, store = standing
    for _ in range(3):
        with pytest.raises(LookupFailedError, match="no answer in time"):
            running.complete(store.get(b"a"))
    monkeypatch.setattr(warmstore, "PATIENCE", 20)
    inner.go.set()
    assert running.complete(store.get(b"b")) == b"b"


def test_too_much_at_once(running: OnLoop, standing: tuple[Standing, WarmStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmstore, "ASKED_MAX", 10)
    monkeypatch.setattr(warmstore, "PATIENCE", 1)
    inner, store = standing
    failures = together([store.get(b"a") for _ in range(30)], running)
    assert sum("too many" in str(failure) for failure in failures) == 20
    assert all(isinstance(failure, LookupFailedError) for failure in failures)
    inner.go.set()
    wait_until(lambda: not store._asked)
    assert running.complete(store.get(b"b")) == b"b"


def test_a_fault_of_ours_does_not_end_the_thread(running: OnLoop, standing: tuple[Standing, WarmStore]) -> None:
    inner, store = standing
    inner.go.set()
    with pytest.raises(LookupFailedError, match="KeyError"):
        running.complete(store.get(b"wrong"))
    assert running.complete(store.get(b"right")) == b"right"


def test_what_was_asked_is_done_before_the_end(running: OnLoop, standing: tuple[Standing, WarmStore]) -> None:
    inner, store = standing
    asking = [store.get(b"%d" % number) for number in range(10)]
    running.call(lambda: [each.send(None) for each in asking])
    running.call(store.close)
    inner.go.set()
    wait_until(lambda: inner.closed)
    assert len(inner.asked) == 10
    running.call(lambda: [each.close() for each in asking])


class Failing(NoStore):
    """One whose errors are new each time."""

    async def get(self, key: bytes) -> bytes | None:
        raise LookupFailedError("it has failed")


def test_a_store_that_has_failed_is_gone_when_it_is_closed(running: OnLoop) -> None:
    """A130"""
    left: list[weakref.ref[Failing]] = []

    def made() -> Failing:
        inner = Failing("")
        left.append(weakref.ref(inner))
        return inner

    store = WarmStore(running.loop, made)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(LookupFailedError, match="it has failed"):
            running.complete(store.get(b"a"))
        store.close()
        wait_until(lambda: left[0]() is None, 10, "end of the store")
    finally:
        gc.enable()


def test_a_loop_that_has_ended_ends_the_thread(tmp_path: Path) -> None:
    inner = Standing()
    with on_loop() as running:
        store = WarmStore(running.loop, lambda: inner)
        asking = store.get(b"a")
        running.call(lambda: asking.send(None))
    inner.go.set()
    wait_until(lambda: inner.closed)
    asking.close()


@pytest.mark.parametrize(("url", "threads"), [
    (None, 1), ("sqlite:/nonexistent/x/y", 1), ("redis://127.0.0.1:1/0", CONNECTIONS), ("unix:///x", CONNECTIONS),
    ("nonsense", 1)])
def test_the_store_of_the_site(url: str | None, threads: int, running: OnLoop, tmp_path: Path) -> None:
    """What the cold programs have; nothing fails before it is asked."""
    if url is not None:
        (tmp_path / "store").write_text(f"{url}\n")
    store = store_of_site(Control(str(tmp_path)), "/nonexistent", running.loop)
    assert store._threads == threads
    with pytest.raises(LookupFailedError, match="store"):
        running.complete(store.get(b"a"))
    store.close()


def test_a_setting_that_makes_no_sense(running: OnLoop, tmp_path: Path) -> None:
    (tmp_path / "storemax").write_text("many\n")
    with pytest.raises(ControlError, match="storemax"):
        store_of_site(Control(str(tmp_path)), "/", running.loop)
