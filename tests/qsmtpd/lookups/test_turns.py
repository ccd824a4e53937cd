"""One at a time, and so many a minute, over processes that share a store."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import turns
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.rules.atonce import complete


class Clock:
    """A time that the store is given."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> SqliteStore:
    return SqliteStore(str(tmp_path / "store/s.sqlite"), clock=clock)


def test_one_at_a_time(store: SqliteStore) -> None:
    for _ in range(3):
        turn = complete(turns.take(store, b"far.example"))
        with pytest.raises(LookupFailedError, match="under way"):
            complete(turns.take(store, b"far.example"))
        complete(turns.end(store, b"far.example", turn))


def test_each_for_itself(store: SqliteStore) -> None:
    complete(turns.take(store, b"a"))
    complete(turns.take(store, b"b"))

    for key in (b"a", b"b"):
        with pytest.raises(LookupFailedError):
            complete(turns.take(store, key))


def test_who_ends_twice_lets_one_go(store: SqliteStore) -> None:
    turn = complete(turns.take(store, b"a"))
    complete(turns.end(store, b"a", turn))
    complete(turns.end(store, b"a", turn))
    complete(turns.take(store, b"a"))

    with pytest.raises(LookupFailedError):
        complete(turns.take(store, b"a"))


def test_a_process_that_died_does_not_stand_in_the_way_for_ever(store: SqliteStore, clock: Clock) -> None:
    complete(turns.take(store, b"a"))
    clock.now += turns.PATIENCE + 1

    complete(turns.take(store, b"a"))

    with pytest.raises(LookupFailedError, match="another one is under way"):
        complete(turns.take(store, b"a"))


def test_a_value_that_makes_no_sense(store: SqliteStore) -> None:
    complete(store.put(b"a", b"-x", 60))

    assert complete(turns.take(store, b"a")) == 0


def test_so_many_a_minute(store: SqliteStore, clock: Clock) -> None:
    """A101: a burst is cut at about the rate, goes on at the rate, and refused ones do not count."""
    def passed(tries: int) -> int:
        good = 0
        for _ in range(tries):
            try:
                complete(turns.spend(store, b"r", 10))
                good += 1
            except LookupFailedError:
                pass
        return good

    assert 10 <= passed(1000) <= 15
    clock.now += 600
    each_second = 0
    for _ in range(600):
        clock.now += 1
        each_second += passed(20)
    assert 90 <= each_second <= 120


@pytest.mark.parametrize("rate", [0, 1])
def test_the_smallest_rates(store: SqliteStore, rate: int) -> None:
    """0 is none at all."""
    if rate:
        complete(turns.spend(store, b"r", rate))
    with pytest.raises(LookupFailedError, match="too many"):
        complete(turns.spend(store, b"r", rate))
