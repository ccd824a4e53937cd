"""The life of a record, on a clock that the test sets; and control/knowngood."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.knowngood import SETTINGS, KnownGood, configured
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.netblock import Netblocks
from qsmtpd.qmail.control import ControlError
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictLookups, DictStore, Source, mail

DAY = 86400.0
HOUR = 3600.0
START = 1_795_262_400.0


class Town:
    """A site with a store of its own and a clock."""

    def __init__(self, directory: Path) -> None:
        self.now = START
        self.directory = directory
        self.store = SqliteStore(str(directory / "state/store"), clock=lambda: self.now)

    def lookups(self) -> DictLookups:
        return DictLookups(store=self.store, now=self.now)

    def good(self, ip: bytes = b"192.0.2.1") -> bool | float | None:
        return complete(configured(Source(self.directory))(mail(ip=ip), self.lookups(), ("known-good",)))["known-good"]

    def message(self, code: int = 250, ip: bytes = b"192.0.2.1", times: int = 1, score: float | None = None) -> None:
        """As many sessions with a message that was answered so."""
        for _ in range(times):
            known = mail(ip=ip)
            known.score = score
            complete(configured(Source(self.directory)).learn(known, self.lookups(), code))


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_the_life_of_a_record(town: Town) -> None:
    """Twenty messages over a week; then it is good until it writes no more for five weeks."""
    assert town.good() is False
    for _ in range(19):
        town.message()
        town.now += 9 * HOUR
    assert town.now - START > 7 * DAY
    assert town.good() is False
    town.message()
    assert town.good() is True
    town.now += 34 * DAY
    town.message()
    town.now += 34 * DAY
    assert town.good() is True
    town.now += 2 * DAY
    assert town.good() is False
    town.message(times=50)
    assert town.good() is False


@pytest.mark.parametrize(("score", "good"), [(None, True), (-3.0, True), (5.0, True), (5.1, False)])
def test_a_score_above_the_limit_speaks_against_it(score: float | None, good: bool, town: Town) -> None:
    """None refused, and no score above the limit: what passed with one counts as refused."""
    town.message()
    town.now += 8 * DAY
    town.message(times=30)
    assert town.good() is True

    town.message(score=score)

    assert town.good() is good


def test_many_in_a_short_time_are_not_enough(town: Town) -> None:
    """A116: somebody cannot earn it before his first spam was complained about."""
    town.message(times=1000)
    town.now += 7 * DAY - 1
    assert town.good() is False
    town.now += 1
    assert town.good() is True


@pytest.mark.parametrize("code", [550, 554, 552])
def test_one_refusal_ends_it(town: Town, code: int) -> None:
    """It begins anew, with the full number and the full time."""
    town.message(times=30)
    town.now += 8 * DAY
    assert town.good() is True
    town.message(code)
    assert town.good() is False
    town.now += 1
    town.message(times=30)
    town.now += 6 * DAY
    assert town.good() is False
    town.now += 1 * DAY
    assert town.good() is True


@pytest.mark.parametrize("code", [451, 421, 354, 0])
def test_a_fault_of_ours_changes_nothing(town: Town, code: int) -> None:
    town.message(times=20)
    town.now += 8 * DAY
    town.message(code)

    assert town.good() is True


def test_a_refusal_and_an_acceptance_at_the_same_moment(town: Town) -> None:
    """One session reads the record, another's message is refused, the first writes it back: it is not good for that."""
    town.message(times=30)
    town.now += 8 * DAY
    old = complete(town.store.get(b"!good:192.0.2.1"))
    assert old is not None
    town.message(554)
    complete(town.store.put(b"!good:192.0.2.1", old, 35 * DAY))
    assert town.good() is False
    town.message()
    assert town.good() is False


def test_a_refusal_of_a_stranger_leaves_nothing(town: Town) -> None:
    """A110: a flood of spam does not fill the store."""
    world = DictLookups()
    complete(configured(Source(town.directory)).learn(mail(), world, 554))

    assert world.store.values == {}


def test_whom_a_record_is_of(town: Town) -> None:
    """An IPv4 address, for a neighbour may be a stranger; an IPv6 /64, which is one customer."""
    town.message(times=20)
    town.message(times=20, ip=b"2001:db8::1")
    town.now += 8 * DAY

    assert town.good(b"::ffff:192.0.2.1") is True
    assert town.good(b"192.0.2.2") is False
    assert town.good(b"2001:db8::ffff") is True
    assert town.good(b"2001:db8:0:1::1") is False


def test_a_clock_that_was_wrong(town: Town) -> None:
    """A141: nobody becomes good because the clock was ten years ahead for a moment, and nobody's record is lost by it."""
    town.message(times=30)
    town.now += 10 * 365 * DAY
    town.message(times=3, ip=b"198.51.100.1")
    town.now = START + 8 * DAY

    assert town.good() is True
    assert town.good(b"198.51.100.1") is False


def test_settings(town: Town) -> None:
    (town.directory / "knowngoodmessages").write_text("2\n")
    (town.directory / "knowngooddays").write_text("1\n")
    (town.directory / "knowngoodkeep").write_text("3\n")
    town.message(times=2)
    town.now += DAY
    assert town.good() is True
    town.now += 2 * DAY
    assert town.good() is False
    assert {setting.name: setting.default for setting in SETTINGS} == {
        "knowngoodmessages": 20, "knowngooddays": 7, "knowngoodkeep": 35, "knowngoodscore": 5}


def test_never_by_record(town: Town) -> None:
    (town.directory / "knowngoodmessages").write_text("0\n")
    (town.directory / "knowngood").write_text("198.51.100.1\n")
    check = configured(Source(town.directory))
    world = DictLookups(store=DictStore(down=True))
    complete(check.learn(mail(), world, 250))

    assert complete(check(mail(), world, ("known-good",))) == {"known-good": False}
    assert complete(check(mail(ip=b"198.51.100.1"), world, ("known-good",))) == {"known-good": True}


def test_the_list(town: Town) -> None:
    (town.directory / "knowngood").write_text("# partners\n192.0.2.0/25\n2001:db8:7::/48\n203.0.113.9\n")
    known = mail(ip=b"192.0.2.77")
    complete(configured(Source(town.directory))(known, DictLookups(store=DictStore(down=True)), ("known-good",)))

    assert known.reasons["known-good"] == b"192.0.2.0/25 from knowngood"
    assert [town.good(ip) for ip in (b"192.0.2.127", b"2001:db8:7:1::1", b"203.0.113.9")] == [True, True, True]
    assert [town.good(ip) for ip in (b"192.0.2.128", b"2001:db8:8::1", b"203.0.113.90")] == [False, False, False]


@pytest.mark.parametrize("line", ["partner.example", "192.0.2.0/33", "192.0.2.1/24", "0192.0.2.1"])
def test_a_list_with_a_mistake(town: Town, line: str) -> None:
    (town.directory / "knowngood").write_text(f"192.0.2.0/24\n{line}\n")

    with pytest.raises(ControlError, match="knowngood: line 2"):
        configured(Source(town.directory))


def test_the_reason(town: Town) -> None:
    town.message(times=25)
    town.now += 9.5 * DAY
    known = mail()
    complete(configured(Source(town.directory))(known, town.lookups(), ("known-good",)))

    assert known.reasons["known-good"] == b"25 messages in 9 days, none refused"


@pytest.mark.parametrize("value", [b"", b"1 2", b"1 2 x", b"1 2 3 4", b"-1 2 30", b"\xff", b"1  30"])
def test_a_record_that_makes_no_sense(town: Town, value: bytes) -> None:
    complete(town.store.put(b"!good:192.0.2.1", value, DAY))
    assert town.good() is False
    town.message()
    assert complete(town.store.get(b"!good:192.0.2.1")) == b"%d %d 1" % (START, START)


def test_a_store_that_is_down_is_unknown() -> None:
    check = KnownGood(Netblocks(()), 20, 7 * DAY, 35 * DAY)
    with pytest.raises(LookupFailedError):
        complete(check(mail(), DictLookups(store=DictStore(down=True)), ("known-good",)))


def test_nobody_said_who_it_is() -> None:
    check = KnownGood(Netblocks(()), 20, 7 * DAY, 35 * DAY)
    with pytest.raises(LookupFailedError):
        complete(check(mail(ip=b"unknown"), DictLookups(), ("known-good",)))


@pytest.mark.parametrize("stored", [b"0 0 " + b"9" * 5000, b"9" * 5000, b"0 0 x", b"1 2", b"", b"-1 0 90"])
def test_what_makes_no_sense_in_the_store_is_no_record(stored: bytes, tmp_path: Path) -> None:
    """A59: nor does a session end by it."""
    class Junk(DictStore):
        async def get(self, key: bytes) -> bytes | None:
            return stored

    assert complete(configured(Source(tmp_path))(mail(), DictLookups(store=Junk()), ("known-good",))) == {"known-good": False}


def test_a_refusal_that_makes_no_sense_ends_no_record(town: Town) -> None:
    town.message(times=20)
    town.now += 8 * DAY
    complete(town.store.put(b"!bad:192.0.2.1", b"9" * 5000, DAY))

    assert town.good() is True
