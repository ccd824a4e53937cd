"""Connections a minute."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.rate import Rate, configured
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictLookups, DictStore, Source, mail

BOTH = ("rate", "net-rate")
NOW = 1_795_262_400.0


def lookups(store: SqliteStore | DictStore) -> DictLookups:
    return DictLookups(store=store)


def test_sessions_are_counted_by_address_and_netblock(tmp_path: Path) -> None:
    world = lookups(DictStore())
    found = [complete(configured(Source(tmp_path))(mail(ip=ip), world, BOTH))
             for ip in (b"192.0.2.1", b"192.0.2.1", b"192.0.2.9", b"192.0.3.1", b"192.0.2.1")]

    assert found == [{"rate": rate, "net-rate": net} for rate, net in ((1, 1), (2, 2), (1, 3), (1, 1), (3, 4))]


def test_ipv6_that_rotates() -> None:
    """A117: a new address of the /64 each time."""
    world = lookups(DictStore())
    found = [complete(Rate()(mail(ip=b"2001:db8::%x" % i), world, BOTH)) for i in range(1, 6)]

    assert [each["net-rate"] for each in found] == [1, 2, 3, 4, 5]


def test_once_a_session() -> None:
    """However often the rules are read."""
    world = lookups(DictStore())
    check = Rate()
    known = mail()
    complete(check(known, world, ("rate",)))
    assert complete(check(known, world, BOTH)) == {"rate": 1, "net-rate": 1}
    assert complete(check(known, world, BOTH)) == {"rate": 1, "net-rate": 1}
    assert known.reasons == {"rate": b"1 connections a minute from 192.0.2.1",
                             "net-rate": b"1 connections a minute from 192.0.2.0/24"}


@pytest.mark.parametrize("each_minute", [1, 6, 30, 120])
def test_a_steady_number_is_that_number(tmp_path: Path, each_minute: int) -> None:
    now = [NOW]
    store = SqliteStore(str(tmp_path / "state/store"), clock=lambda: now[0])
    for _ in range(each_minute * 10):
        now[0] += 60 / each_minute
        found = complete(Rate()(mail(), lookups(store), ("rate",)))

    assert found["rate"] == pytest.approx(each_minute + 0.5, abs=0.2)


def test_a_burst_is_its_size_and_is_forgotten(tmp_path: Path) -> None:
    now = [NOW]
    store = SqliteStore(str(tmp_path / "state/store"), clock=lambda: now[0])
    for _ in range(50):
        found = complete(Rate()(mail(), lookups(store), ("rate",)))
    assert found["rate"] == 50
    now[0] += 600

    assert complete(Rate()(mail(), lookups(store), ("rate",)))["rate"] == pytest.approx(1, abs=0.01)


def test_a_store_that_is_down() -> None:
    with pytest.raises(LookupFailedError):
        complete(Rate()(mail(), lookups(DictStore(down=True)), BOTH))


def test_nobody_said_who_it_is() -> None:
    with pytest.raises(LookupFailedError):
        complete(Rate()(mail(ip=b"unknown"), lookups(DictStore()), BOTH))
