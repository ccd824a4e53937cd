"""Greylisting from the first attempt to the trusted client, on a clock that the test sets."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.checks.greylist import FOREVER, SETTINGS, Greylist, configured
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.qmail.control import ControlError
from qsmtpd.rules.atonce import complete
from tests.conftest import QmailHome
from tests.play import run_program
from tests.qsmtpd.world import DictLookups, DictStore, Source, mail
from tests.transcript import codes

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
START = 1_795_262_400.0


class Town:
    """A site with a store of its own and a clock, that greylists everybody for five minutes."""

    def __init__(self, directory: Path, limit: int = 1_000_000) -> None:
        self.now = START
        self.directory = directory
        self.store = SqliteStore(str(directory / "state/store"), limit, lambda: self.now)
        self.known = mail()

    def lookups(self) -> DictLookups:
        return DictLookups(store=self.store, now=self.now)

    def age(self, sender: bytes = b"a@example.org", recipient: bytes = b"b@our.org", ip: bytes = b"192.0.2.1",
            spf: bytes | None = None) -> bool | float | None:
        """What a session's check says."""
        self.known = mail(recipient, sender=sender, ip=ip)
        self.known.spf_domain = spf
        return complete(configured(Source(self.directory))(self.known, self.lookups(), ("greylist-age",)))["greylist-age"]

    def attempt(self, sender: bytes = b"a@example.org", recipients: tuple[bytes, ...] = (b"b@our.org",), *,
                ip: bytes = b"192.0.2.1", code: int = 250, spf: bytes | None = None, delay: float = 5) -> int:
        """A session: how many recipients were accepted.  When there are some, DATA is answered with the code."""
        check = configured(Source(self.directory))
        self.known = mail(sender=sender, ip=ip)
        self.known.spf_domain = spf
        for recipient in recipients:
            self.known.recipient = recipient
            age = complete(check(self.known, self.lookups(), ("greylist-age",)))["greylist-age"]
            if age is None or age >= delay:
                self.known.recipients.append(recipient)
        if self.known.recipients:
            complete(check.learn(self.known, self.lookups(), code))
        return len(self.known.recipients)

    def earn(self, ip: bytes = b"192.0.2.1", spf: bytes | None = None) -> None:
        """Five messages that come back, over five hours."""
        for i in range(5):
            self.attempt(b"first%s@example.org" % b"abcde"[i:i + 1], ip=ip, spf=spf)
            self.now += HOUR + 1
            assert self.attempt(b"first%s@example.org" % b"abcde"[i:i + 1], ip=ip, spf=spf) == 1


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_the_age_grows_from_the_first_attempt(town: Town) -> None:
    """Attempts between do not begin it anew."""
    assert town.age() == 0
    town.now += 2 * MINUTE
    assert town.age() == 2
    town.now += 5 * MINUTE
    assert town.age() == 7
    assert town.known.reasons["greylist-age"] == b"first seen 7 min ago"


def test_each_triplet_has_its_own(town: Town) -> None:
    town.age()
    town.now += HOUR

    assert town.age() == 60
    assert town.age(sender=b"c@example.org") == 0
    assert town.age(recipient=b"c@our.org") == 0
    assert town.age(ip=b"198.51.100.1") == 0
    assert town.age(sender=b"") == 0
    town.now += HOUR
    assert town.age(sender=b"") == 60


def test_the_second_attempt_may_come_from_a_neighbour(town: Town) -> None:
    """A110, and postgrey's first complaint: a provider's pool."""
    town.age(ip=b"192.0.2.1")
    town.age(ip=b"2001:db8::1")
    town.now += 10 * MINUTE

    assert town.age(ip=b"192.0.2.200") == 10
    assert town.age(ip=b"2001:db8::abcd:1") == 10


def test_or_from_anywhere_when_spf_passes(town: Town) -> None:
    town.age(ip=b"192.0.2.1", spf=b"example.org")
    town.now += 10 * MINUTE

    assert town.age(ip=b"203.0.113.9", spf=b"Example.ORG") == 10
    assert town.age(ip=b"203.0.113.9") == 0


def test_spf_that_is_answered_only_the_second_time(town: Town) -> None:
    """A name server that was slow does not cost the sender another wait."""
    town.age()
    town.now += 10 * MINUTE

    assert town.age(spf=b"example.org") == 10


def test_mailing_lists(town: Town) -> None:
    """VERP: another number in each message."""
    town.age(sender=b"list-return-7-b=our.org@lists.example")
    town.now += 10 * MINUTE

    assert town.age(sender=b"list-return-8-b=our.org@lists.example") == 10


def test_who_does_not_come_back_is_forgotten(town: Town) -> None:
    town.age()
    town.now += 48 * HOUR - 1
    assert town.age() == pytest.approx(48 * 60, abs=1)
    town.now += 1
    assert town.age() == 0


def test_who_came_back_is_kept_for_weeks(town: Town) -> None:
    assert town.attempt() == 0
    town.now += 7 * MINUTE
    assert town.attempt() == 1
    assert town.known.waited == 7
    for _ in range(3):
        town.now += 34 * DAY
        assert town.attempt() == 1
        assert town.known.waited is None
    town.now += 36 * DAY
    assert town.attempt() == 0


def test_a_message_that_was_deferred_confirms_nothing(town: Town) -> None:
    town.attempt()
    town.now += 10 * MINUTE
    assert town.attempt(code=451) == 1
    town.now += 3 * DAY

    assert town.attempt() == 0


def test_several_recipients(town: Town) -> None:
    """Each is confirmed for itself; who was greylisted in the same message is not."""
    town.attempt(recipients=(b"one@our.org", b"two@our.org"))
    town.now += 10 * MINUTE
    assert town.attempt(recipients=(b"one@our.org", b"two@our.org", b"three@our.org")) == 2
    town.now += 3 * DAY

    assert [town.age(recipient=recipient) > 0 for recipient in (b"one@our.org", b"two@our.org", b"three@our.org")  # type: ignore[operator]
            ] == [True, True, False]


def test_a_shadow_rule_teaches_nothing(town: Town) -> None:
    """"?greylist" lets the first attempt pass: that does not show that somebody comes back."""
    for i in range(20):
        assert town.attempt(b"%s@example.org" % b"abcdefghijklmnopqrst"[i:i + 1], delay=0) == 1
        town.now += 2 * HOUR

    assert town.age(b"new@example.org") == 0
    town.now += 3 * DAY
    assert town.age(b"a@example.org") == 0


def test_a_client_that_always_comes_back_is_trusted(town: Town) -> None:
    town.earn()

    assert town.age(b"new@example.org") == FOREVER
    assert town.known.reasons["greylist-age"] == b"mail from 192.0.2.0/24 has come back often"
    assert town.age(b"new@example.org", ip=b"198.51.100.1") == 0


def test_a_domain_too(town: Town) -> None:
    """Its mail comes from a hundred netblocks."""
    town.earn(spf=b"example.org")

    assert town.age(b"new@example.org", ip=b"198.51.100.1", spf=b"example.org") == FOREVER
    assert town.age(b"new@example.org", ip=b"198.51.100.1") == 0


def test_trust_lasts_while_it_is_used(town: Town) -> None:
    town.earn()
    for _ in range(4):
        town.now += 30 * DAY
        assert town.attempt(b"new@example.org") == 1
    town.now += 36 * DAY

    assert town.age(b"other@example.org") == 0


def test_many_messages_at_once_do_not_earn_it(town: Town) -> None:
    """A110: a spammer that tries twice is let in twice, and not for weeks."""
    senders = [b"%s@example.org" % bytes([letter]) for letter in b"abcdefghijklmnopqrstuvwxyz"]
    for sender in senders:
        town.attempt(sender)
    town.now += 10 * MINUTE
    for sender in senders:
        assert town.attempt(sender) == 1

    assert town.age(b"new@example.org") == 0


def test_a_refused_message_costs_the_trust(town: Town) -> None:
    town.earn()
    assert town.attempt(b"new@example.org", code=554) == 1
    assert town.age(b"other@example.org") == 0
    assert town.age(b"firsta@example.org") > 300  # type: ignore[operator]  # the correspondent stays one


def test_refusals_weigh_more_than_acceptances(town: Town) -> None:
    for i in range(12):
        sender = b"%s@example.org" % b"abcdefghijkl"[i:i + 1]
        town.attempt(sender)
        town.now += 2 * HOUR
        town.attempt(sender, code=554 if i % 3 == 0 else 250)

    assert town.age(b"new@example.org") == 0


def test_no_trust_when_it_is_switched_off(town: Town) -> None:
    (town.directory / "greylistawl").write_text("0\n")
    town.earn()

    assert town.age(b"new@example.org") == 0


def test_settings(town: Town) -> None:
    (town.directory / "greylistwindow").write_text("1\n")
    (town.directory / "greylistkeep").write_text("2\n")
    town.attempt()
    town.now += 61 * MINUTE
    assert town.attempt() == 0
    town.now += 10 * MINUTE
    assert town.attempt() == 1
    town.now += 47 * HOUR
    assert town.age() > 0  # type: ignore[operator]
    town.now += 2 * HOUR
    assert town.age() == 0
    assert {setting.name: setting.default for setting in SETTINGS} == {
        "greylistwindow": 48, "greylistkeep": 35, "greylistawl": 5}


def test_a_setting_that_is_no_number(town: Town) -> None:
    (town.directory / "greylistkeep").write_text("forever\n")

    with pytest.raises(ControlError, match="greylistkeep"):
        configured(Source(town.directory))


def test_a_flood_of_triplets(tmp_path: Path) -> None:
    """A110: 10,000 that never come back, where 1000 have room: correspondents stay, and a new sender still gets in."""
    town = Town(tmp_path, 1000)
    friends = [b"friend%s@example.org" % bytes([97 + i // 10, 97 + i % 10]) for i in range(50)]
    for sender in friends:
        town.attempt(sender)
    town.now += 10 * MINUTE
    for sender in friends:
        assert town.attempt(sender) == 1
    check, world = Greylist(2 * DAY, 35 * DAY, 5), town.lookups()
    for i in range(10_000):
        if i == 9_500:
            assert town.attempt(b"new@other.example", ip=b"198.51.100.1") == 0
        flood = mail(b"%d@our.org" % i, sender=b"x@flood.example", ip=b"203.0.113.1")
        complete(check(flood, world, ("greylist-age",)))
    town.now += 10 * MINUTE

    assert all(town.attempt(sender) == 1 for sender in friends)
    assert town.attempt(b"new@other.example", ip=b"198.51.100.1") == 1


def test_a_clock_that_was_ahead(town: Town) -> None:
    """A141: ten years, and back: nobody waits longer than a day for it, and correspondents need not wait at all."""
    town.attempt()
    town.now += 10 * MINUTE
    town.attempt()
    town.now += 3650 * DAY
    town.age(b"then@example.org")
    town.now -= 3650 * DAY

    assert town.age(b"then@example.org") == 0
    town.now += 5 * MINUTE
    assert town.age(b"then@example.org") == 5
    assert town.attempt() == 1


@pytest.mark.parametrize("back", [HOUR, DAY])
def test_a_clock_that_goes_back(town: Town, back: float) -> None:
    """A141: who was waiting begins anew, which costs five minutes; a correspondent notices nothing."""
    town.attempt()
    town.now += 10 * MINUTE
    town.attempt()
    town.age(b"waiting@example.org")
    town.now -= back

    assert town.attempt() == 1
    assert town.age(b"waiting@example.org") == 0
    town.now += 5 * MINUTE
    assert town.age(b"waiting@example.org") == 5


def test_a_store_that_is_down() -> None:
    """Unknown, so that a rule does not hold; and nothing is remembered that was not written down."""
    check = Greylist(2 * DAY, 35 * DAY, 5)
    down = DictLookups(store=DictStore(down=True))
    with pytest.raises(LookupFailedError):
        complete(check(mail(b"b@our.org"), down, ("greylist-age",)))
    known = mail(b"b@our.org")
    known.recipients = [b"b@our.org"]
    complete(check.learn(known, down, 250))  # asks for nothing, so that the message's end is not disturbed
    assert complete(check(mail(b"b@our.org"), DictLookups(), ("greylist-age",))) == {"greylist-age": 0}


def test_nobody_said_who_it_is() -> None:
    with pytest.raises(LookupFailedError):
        complete(Greylist(1, 1, 5)(mail(b"b@our.org", ip=b"unknown"), DictLookups(), ("greylist-age",)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.5, 3, 6, 200, 3000, 60000]), st.sampled_from([250, 451, 554])), max_size=12))
def test_nobody_passes_before_the_time_or_waits_longer(steps: list[tuple[float, int]]) -> None:
    """Whatever the pauses and answers: accepted at once after the delay, within the window; never before it."""
    store = DictStore()
    now = START
    first: float | None = None
    for pause, code in steps:
        check = Greylist(2 * DAY, 35 * DAY, 0)
        known: Mail = mail(b"b@our.org", sender=b"a@example.org")
        age = complete(check(known, DictLookups(store=store, now=now), ("greylist-age",)))["greylist-age"]
        first = now if first is None else first
        assert age == pytest.approx((now - first) / 60)
        known.recipients = [b"b@our.org"]
        complete(check.learn(known, DictLookups(store=store, now=now), code))
        now += pause * MINUTE


TALK = b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.bench.test>\r\nQUIT\r\n"
CLIENT = {"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1"}


def test_a_real_session(installation: Path, qmail_home: QmailHome) -> None:
    """The program, its store made at the first question: later, later, and then yes; for another sender later."""
    qmail_home.write("rcpthosts", "mx.bench.test")
    qmail_home.write("rules", "any greylist 0.02")

    def answer(talk: bytes) -> list[int]:
        return codes(run_program([installation / "bin/qsmtpd"], qmail_home, CLIENT, talk)[0])

    assert answer(TALK)[2:] == [250, 451, 221]
    assert answer(TALK)[2:] == [250, 451, 221]
    time.sleep(1.5)
    assert answer(TALK)[2:] == [250, 250, 221]
    assert answer(TALK.replace(b"<a@", b"<c@"))[2:] == [250, 451, 221]
    (qmail_home.path / "frontline/store.sqlite").chmod(0o666)
    answered, log, _ = run_program([installation / "bin/qsmtpd"], qmail_home, CLIENT, TALK.replace(b"<a@", b"<d@"))
    assert codes(answered)[2:] == [250, 250, 221]
    assert b"can be written by others" in log


@pytest.mark.parametrize("stored", [b"9" * 5000, b"9" * 400, b"junk", b"-5", b""])
def test_what_makes_no_sense_in_the_store_is_as_if_it_were_not_there(stored: bytes, tmp_path: Path) -> None:
    """A59: the store may be shared with who knows whom; a number without end is none, and no session ends by it."""
    class Junk(DictStore):
        async def get(self, key: bytes) -> bytes | None:
            return stored

    of = mail(b"b@our.org", sender=b"a@example.org")

    assert complete(configured(Source(tmp_path))(of, DictLookups(store=Junk()), ("greylist-age",))) == {"greylist-age": 0}
