"""control/tags: faults, files that are not there, and zones that live, are dead, or lie."""

from pathlib import Path

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.qmail.control import Control
from tests.qsmtpd.world import DictDns
from tools.frontline.tagfile import dead_zones, files, missing, read, wrong

TAGS = b"dul dnsbl dul.example\nrss dnsbl dul.example 127.0.0.3\nbad rhsbl rhs.example\nvip env VIP\nfriends sender friends\n"


def test_every_fault_with_its_place() -> None:
    found = [str(each) for each in wrong("tags", b"relay env X\nvip env VIP\nvip ip x\n")]

    assert found[0].startswith('tags:1:1: error: "relay" is a word of the language')
    assert found[1].startswith('tags:3:1: error: "vip" is defined in line 2 already')
    assert (read(b"vip"), read(None)) == ({}, {})


def test_files_that_are_not_there(tmp_path: Path) -> None:
    tags = read(TAGS)
    control = Control(str(tmp_path))

    assert files(tags) == {"friends"}
    assert [str(each) for each in missing("tags", tags, control)] == [
        f"tags:5: warning: {tmp_path}/friends is not there, so friends does not hold; make it, or delete the line"]
    (tmp_path / "friends").touch()
    assert list(missing("tags", tags, control)) == []


LIVE = {(b"2.0.0.127.dul.example", "A"): (b"127.0.0.2",), (b"test.rhs.example", "A"): (b"127.0.0.2",)}


def zones(records: dict[tuple[bytes, str], tuple[bytes, ...]]) -> list[str]:
    dns = DictDns(dict(records))
    found = [str(each) for each in dead_zones("tags", read(TAGS), lambda: dns)]
    assert len(dns.prefetched) == 5, "each zone is asked once"
    return found


def test_zones_that_live() -> None:
    """RFC 5782 section 5: 127.0.0.2 is listed, 127.0.0.1 is not."""
    assert zones(LIVE) == []


def test_a_zone_that_lists_nothing() -> None:
    """A95: its domain has been given up."""
    found = zones({})

    assert [each.partition(",")[0] for each in found] == [
        "tags:1: error: dul.example is not to be believed", "tags:2: error: dul.example is not to be believed"]
    assert "does not list the test point" in found[0]


def test_a_zone_that_lists_everything() -> None:
    found = zones({**LIVE, (b"1.0.0.127.dul.example", "A"): (b"127.0.0.2",)})

    assert "it lists everything" in found[0]


def test_a_zone_that_does_not_answer() -> None:
    dns = DictDns({(b"2.0.0.127.dul.example", "A"): LookupFailedError("no answer")})

    found = [str(each) for each in dead_zones("tags", read(b"dul dnsbl dul.example\n"), lambda: dns)]

    assert found == [
        "tags:1: warning: dul.example does not answer (no answer): its tags are unknown; look whether it still exists"]
