"""RBLSMTPD and blocklist.cdb."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.blocked import Blocked, configured, utc
from qsmtpd.lookups.blocking import BlockingLookups
from qsmtpd.netblock import key
from qsmtpd.qmail.control import Control
from tests.qsmtpd.checks.site import ask, database, found, site
from tests.qsmtpd.world import DictLookups, mail

NAMES = ("blocked", "banned", "rbl-pass")
NOW = 1_795_262_400.0


def blocklist(*entries: tuple[bytes, bytes]) -> DictLookups:
    return DictLookups({"blocklist.cdb": dict(entries)}, now=NOW)


def holding(findings: dict[str, bool | float | None]) -> list[str]:
    return [name for name, value in findings.items() if value is not False]


@pytest.mark.parametrize(("text", "holds", "reason"), [
    (None, [], None), (b"", ["rbl-pass"], None), (b"try later", ["blocked"], b"try later"), (b"-never", ["banned"], b"never"),
    (b"-", ["banned"], b"RBLSMTPD")])
def test_rblsmtpd(tmp_path: Path, text: bytes | None, holds: list[str], reason: bytes | None) -> None:
    known = mail(env={} if text is None else {"RBLSMTPD": text})

    assert holding(found(configured(site(tmp_path)), known, DictLookups(), *NAMES)) == holds
    assert known.reasons == ({holds[0]: reason} if reason else {})
    assert known.until == (b"further notice" if reason else b"")


@pytest.mark.parametrize(("value", "holds", "until"), [
    (b"450 0 too many spam traps", ["blocked"], b"further notice"),
    (b"550 0 too many spam traps", ["banned"], b"further notice"),
    (b"421 1795291200 too many spam traps", ["blocked"], b"2026-11-21 20:00 UTC"),
    (b"554 1795262401 too many spam traps", ["banned"], b"2026-11-21 12:00 UTC"),
    (b"450 1795262400 too many spam traps", [], b""),
    (b"450 1 too many spam traps", [], b"")])
def test_blocklist(value: bytes, holds: list[str], until: bytes) -> None:
    """An entry holds until its end, not longer."""
    known = mail(ip=b"192.0.2.1")

    assert holding(found(Blocked(), known, blocklist((b"192.0.2.0/24", value)), *NAMES)) == holds
    assert (known.until, known.reasons) == (until, {holds[0]: b"too many spam traps"} if holds else {})


def test_the_smallest_netblock_decides() -> None:
    known = mail(ip=b"192.0.2.1")
    lookups = blocklist((b"192.0.2.1", b"450 0 you"), (b"192.0.2.0/24", b"550 0 your neighbours"))

    assert holding(found(Blocked(), known, lookups, *NAMES)) == ["blocked"]


def test_what_is_over_hides_nothing() -> None:
    known = mail(ip=b"192.0.2.1")
    lookups = blocklist((b"192.0.2.1", b"450 1 you"), (b"192.0.2.0/24", b"550 0 your neighbours"))

    assert holding(found(Blocked(), known, lookups, *NAMES)) == ["banned"]


def test_ipv6_and_an_entry_without_a_reason() -> None:
    known = mail(ip=b"2001:DB8:1::5")

    assert ask(Blocked(), known, blocklist((b"2001:db8::/32", b"450 0")), "blocked") is True
    assert known.reasons["blocked"] == b"2001:db8::/32 from blocklist.cdb"


@pytest.mark.parametrize(("ip", "holds"), [(b"192.0.2.77", ["blocked"]), (b"192.0.3.1", []), (b"2001:db8::9", ["banned"])])
def test_a_real_database(tmp_path: Path, ip: bytes, holds: list[str]) -> None:
    database(tmp_path / "blocklist.cdb", {key(b"192.0.2."): b"450 1795262460 x", key(b"2001:DB8::/32"): b"550 0 y"})
    lookups = BlockingLookups(Control(str(tmp_path)), "/", now=NOW, note=print)

    assert holding(found(Blocked(), mail(ip=ip), lookups, *NAMES)) == holds


def test_rblsmtpd_stands_first() -> None:
    known = mail(ip=b"192.0.2.1", env={"RBLSMTPD": b"-by hand"})
    lookups = blocklist((b"192.0.2.1", b"450 0 by a program"))

    assert holding(found(Blocked(), known, lookups, *NAMES)) == ["banned"]
    assert not lookups.asked


@pytest.mark.parametrize("value", [
    b"", b"450", b"250 0 x", b"4x0 0 x", b"450 soon x", b"450 -1 x", b"4500 0 x", b"450 9999999999999 x"])
def test_a_value_that_makes_no_sense_is_unknown(value: bytes) -> None:
    """A130: neither blocked nor let pass; and rbl-pass is known all the same."""
    lookups = blocklist((b"192.0.2.1", value))

    assert found(Blocked(), mail(env={"RBLSMTPD": b""}), lookups, *NAMES) == {"blocked": None, "banned": None, "rbl-pass": True}
    assert lookups.noted == [b"blocked: blocklist.cdb: an entry is not CODE UNTIL REASON"]


def test_a_database_that_cannot_be_read_is_unknown() -> None:
    lookups = DictLookups(broken=frozenset(["blocklist.cdb"]))

    assert found(Blocked(), mail(), lookups, *NAMES) == {"blocked": None, "banned": None, "rbl-pass": False}
    assert ask(Blocked(), mail(), lookups, "rbl-pass") is False


def test_without_a_database_nobody_is_blocked() -> None:
    lookups = DictLookups()

    assert ask(Blocked(), mail(), lookups, "banned") is False
    assert len(lookups.asked) == 1


def test_a_client_without_an_address_is_unknown() -> None:
    assert ask(Blocked(), mail(ip=b"unknown"), blocklist(), "blocked") is None


@given(st.binary(max_size=40))
def test_no_value_makes_it_raise(value: bytes) -> None:
    """A130."""
    assert ask(Blocked(), mail(), blocklist((b"192.0.2.1", value)), "blocked") in (True, False, None)


@given(st.integers(0, 253402300799))
def test_utc(seconds: int) -> None:
    """Until the end of the year 9999, as datetime counts it."""
    assert utc(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC").encode().rjust(20, b"0")


@given(st.integers(0, 10**12 - 1))
def test_utc_beyond(seconds: int) -> None:
    """Four hundred years later it is the same date and hour."""
    year, rest = utc(seconds).split(b"-", 1)
    later, same = utc(seconds + 146097 * 86400).split(b"-", 1)

    assert (int(later) - int(year), same) == (400, rest)
