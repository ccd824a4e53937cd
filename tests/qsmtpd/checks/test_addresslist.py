"""Tags of kind ip."""

from pathlib import Path

import pytest

from qsmtpd.checks.addresslist import configured
from qsmtpd.qmail.control import ControlError
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictLookups, mail

TAGS = b"friend ip friends\nnetwork ip networks.cdb\n"
FRIENDS = b"# office\n192.0.2.0/24\n198.51.100.\n203.0.113.7\n2001:db8::/32\n"


@pytest.mark.parametrize(("ip", "entry"), [
    (b"192.0.2.255", b"192.0.2.0/24"), (b"192.0.3.0", b""), (b"198.51.100.9", b"198.51.100.0/24"),
    (b"203.0.113.7", b"203.0.113.7"), (b"203.0.113.70", b""), (b"2001:db8:1::1", b"2001:db8::/32"), (b"2001:db9::1", b""),
    (b"::ffff:192.0.2.1", b"192.0.2.0/24")])
def test_plain_list(tmp_path: Path, ip: bytes, entry: bytes) -> None:
    """A61: 203.0.113.70 does not begin with 203.0.113.7 as far as we are concerned."""
    known = mail(ip=ip)

    assert ask(configured(site(tmp_path, tags=TAGS, friends=FRIENDS)), known, DictLookups(), "friend") is (entry != b"")
    assert known.reasons.get("friend", b"") == (entry and entry + b" from friends")


@pytest.mark.parametrize(("ip", "listed"), [(b"192.0.2.5", True), (b"192.0.3.5", False), (b"2001:db8:5::1", True)])
def test_database(tmp_path: Path, ip: bytes, listed: bool) -> None:
    world = DictLookups({"networks.cdb": {b"192.0.2.0/24", b"2001:db8::/32"}})

    assert ask(configured(site(tmp_path, tags=TAGS)), mail(ip=ip), world, "network") is listed


def test_the_smallest_entry_is_the_reason(tmp_path: Path) -> None:
    known = mail(ip=b"192.0.2.5")
    world = DictLookups({"networks.cdb": {b"192.0.2.0/24", b"192.0.2.5", b"0.0.0.0/0"}})
    ask(configured(site(tmp_path, tags=TAGS)), known, world, "network")

    assert known.reasons["network"] == b"192.0.2.5 from networks.cdb"


def test_an_absent_file_is_unknown(tmp_path: Path) -> None:
    """A misspelt name must not make strangers of all friends."""
    world = DictLookups()

    assert found(configured(site(tmp_path, tags=TAGS)), mail(), world, "friend", "network") == {"friend": None, "network": None}
    assert world.noted == [b"friend: friends: no such file", b"network: networks.cdb: no such file"]


def test_an_empty_file_has_nobody(tmp_path: Path) -> None:
    assert ask(configured(site(tmp_path, tags=TAGS, friends=b"")), mail(), DictLookups(), "friend") is False


def test_a_broken_database_says_nothing_against_the_others(tmp_path: Path) -> None:
    """A130."""
    check = configured(site(tmp_path, tags=TAGS, friends=FRIENDS))
    lookups = DictLookups(broken=frozenset(["networks.cdb"]))

    assert found(check, mail(), lookups, "network", "friend") == {"network": None, "friend": True}


def test_a_client_without_address_is_unknown(tmp_path: Path) -> None:
    assert ask(configured(site(tmp_path, tags=TAGS, friends=FRIENDS)), mail(ip=b"unknown"), DictLookups(), "friend") is None


@pytest.mark.parametrize("line", [b"192.0.2.0/33", b"192.0.2.1/24", b"friend.example", b"192.0.2", b"10.0.0.1-5"])
def test_a_wrong_line_is_named(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(ControlError, match="friends: line 2: "):
        configured(site(tmp_path, tags=TAGS, friends=b"# x\n" + line + b"\n192.0.2.1\n"))


def test_a_plain_list_is_not_searched(tmp_path: Path) -> None:
    """Of ten thousand lines one address looks at three sets: one for each length of prefix."""
    lines = b"".join(b"10.%d.%d.0/24\n" % (i >> 8, i & 255) for i in range(10_000)) + b"192.0.2.7\n2001:db8::/32\n"
    check = configured(site(tmp_path, tags=TAGS, friends=lines))

    assert len(check.lists["friends"]._sets) == 3
    assert ask(check, mail(ip=b"10.20.30.40"), DictLookups(), "friend") is True
    assert ask(check, mail(ip=b"10.99.0.1"), DictLookups(), "friend") is False
