"""Lists of addresses in the DNS, against rbldnsd, and zones of nsd that should not be believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.dnsbl import configured
from qsmtpd.rules.atonce import complete
from tests.nameservers import lying
from tests.qsmtpd.checks.dnsworld import answer, lookups, world
from tests.qsmtpd.checks.site import site
from tests.qsmtpd.world import DictLookups, mail

TAGS = b"""
dul      dnsbl  dul.test
sbl      dnsbl  zen.test  127.0.0.2,127.0.0.3
xbl      dnsbl  zen.test  127.0.0.4-127.0.0.7
pbl      dnsbl  Zen.TEST. 127.0.0.10,127.0.0.11
six      dnsbl  six.test
hijacked dnsbl  hijacked.test
world    dnsbl  world.test
unwelcome dnsbl unwelcome.test
loop     dnsbl  loop.test
dead     dnsbl  dead.test
friend   dnswl  zen.test  127.0.0.4
other    env    OTHER
"""


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    with world() as port:
        yield port


@pytest.mark.parametrize(("ip", "tags"), [
    (b"192.0.2.1", {"xbl", "friend"}), (b"192.0.2.4", {"dul", "pbl"}), (b"192.0.2.9", set()),
    (b"::ffff:192.0.2.4", {"dul", "pbl"}),
    (b"2001:db8::1", {"six"}), (b"2001:DB8:0:0::1", {"six"}), (b"2001:db9::1", set())])
def test_who_is_listed(ip: bytes, tags: set[str], dns: int, tmp_path: Path) -> None:
    """Codes decide between tags of one zone; a whitelist is asked like a blacklist."""
    names = ("dul", "sbl", "xbl", "pbl", "friend", *(["six"] if b":" in ip and b"." not in ip else []))
    known, looked = mail(ip=ip), lookups(dns)

    assert answer(configured(site(tmp_path, tags=TAGS)), known, looked, *names) == {name: name in tags for name in names}
    assert set(known.reasons) == tags
    assert looked.noted == []


def test_the_reason_names_code_and_zone(dns: int, tmp_path: Path) -> None:
    known = mail(ip=b"192.0.2.4")
    answer(configured(site(tmp_path, tags=TAGS)), known, lookups(dns), "pbl", "dul")

    assert known.reasons == {"pbl": b"127.0.0.10 from zen.test", "dul": b"127.0.0.2 from dul.test"}


FAULTS = {
    "hijacked": b"hijacked.test is not asked for a while: it answers 203.0.113.9",
    "world": b"world.test is not asked for a while: it lists everything, 1.0.0.127 too",
    "unwelcome": b"unwelcome.test is not asked for a while: it answers 127.255.255.254",
    "loop": b"loop.test is not asked for a while: it answers 127.0.0.1",
    "dead": b"dead.test is not asked for a while: it does not list the test point 2.0.0.127",
}


@pytest.mark.parametrize("name", FAULTS)
def test_zones_that_are_not_believed(name: str, dns: int, tmp_path: Path) -> None:
    """A90, A91: the tag is unknown, the log says why, and the next session does not ask: it takes up where this one stopped."""
    (tmp_path / "marks").mkdir()
    check = configured(site(tmp_path, tags=TAGS))
    first, second = [lookups(dns, tmp_path / "marks") for _ in range(2)]

    assert answer(check, mail(), first, name, "dul") == {name: None, "dul": False}
    assert first.noted == [FAULTS[name]]
    with pytest.raises(LookupFailedError, match="not asked for a while"):
        complete(second.dns.ask(b"2.0.0.127.%b.test" % name.encode(), "A"))
    assert answer(check, mail(), second, name, "dul") == {name: None, "dul": False}
    assert second.noted == [b"A of 1.2.0.192.%b.test: not asked for a while" % name.encode()]


def test_an_error_code_beside_a_listing(dns: int, tmp_path: Path) -> None:
    """A90: 192.0.2.6 has the code 127.0.0.1 in zen.test."""
    assert answer(configured(site(tmp_path, tags=TAGS)), mail(ip=b"192.0.2.6"), lookups(dns), "sbl") == {"sbl": None}


def test_a_zone_that_does_not_answer(tmp_path: Path) -> None:
    """Three sessions wait for it, the fourth does not; each says that it does not know."""
    check = configured(site(tmp_path, tags=TAGS))
    with lying(lambda _: []) as server:
        for number in range(4):
            looked = lookups(server.port, tmp_path)
            looked.dns._budget = 0.05
            assert answer(check, mail(), looked, "dul") == {"dul": None}
            assert len(server.asked) == min(3 * (number + 1), 9)


def test_a_client_without_an_address(tmp_path: Path) -> None:
    check = configured(site(tmp_path, tags=TAGS))

    assert check.questions(mail(ip=b"unknown"), ("dul",)) == ()
    with pytest.raises(LookupFailedError):
        complete(check(mail(ip=b"unknown"), DictLookups(), ("dul",)))
