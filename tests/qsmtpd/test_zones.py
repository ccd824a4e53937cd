"""When a zone is believed, and what happens to one that is not."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.site import SiteTag
from qsmtpd.zones import OUT, ListCheck, Points, fault, of_address, of_domain
from tests.qsmtpd.checks.dnsworld import Dns
from tests.qsmtpd.world import DictLookups, mail

CLIENT = Points(b"1.2.0.192", b"1.0.0.127", b"2.0.0.127")
LISTED, NOT_LISTED = (b"127.0.0.2",), ()


@given(number=st.integers(0, 2**32 - 1))
def test_points_of_ipv4(number: int) -> None:
    points = of_address(str(ipaddress.IPv4Address(number)).encode())

    assert points.subject + b".in-addr.arpa" == ipaddress.IPv4Address(number).reverse_pointer.encode()
    assert (points.clean, points.listed) == (b"1.0.0.127", b"2.0.0.127")


@given(number=st.integers(2**64, 2**128 - 1))
def test_points_of_ipv6(number: int) -> None:
    """RFC 5782 section 5: ::FFFF:7F00:1 and ::FFFF:7F00:2, by their nibbles."""
    points = of_address(str(ipaddress.IPv6Address(number)).encode())
    tests = [ipaddress.IPv6Address(f"::ffff:7f00:{last}").reverse_pointer.removesuffix(".ip6.arpa").encode() for last in (1, 2)]

    assert points.subject + b".ip6.arpa" == ipaddress.IPv6Address(number).reverse_pointer.encode()
    assert [points.clean, points.listed] == tests


def test_a_mapped_address_is_ipv4() -> None:
    assert of_address(b"::ffff:192.0.2.1").subject == b"1.2.0.192"


@pytest.mark.parametrize("ip", [b"unknown", b"", b"192.0.2", b"[192.0.2.1]", b"fe80::1%eth0"])
def test_no_address_has_no_points(ip: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        of_address(ip)


@pytest.mark.parametrize(("answers", "believed"), [
    ((NOT_LISTED, NOT_LISTED, LISTED), True),
    ((LISTED, NOT_LISTED, LISTED), True),
    (((b"127.0.0.2", b"127.0.0.11"), NOT_LISTED, LISTED), True),
    (((b"127.0.0.2", b"127.255.255.254"), NOT_LISTED, LISTED), False),
    (((b"127.255.255.252",), NOT_LISTED, LISTED), False),
    (((b"127.0.0.1",), NOT_LISTED, LISTED), False),
    (((b"0.0.0.0",), NOT_LISTED, LISTED), False),
    (((b"203.0.113.9",), NOT_LISTED, LISTED), False),
    ((LISTED, LISTED, LISTED), False),
    ((NOT_LISTED, LISTED, LISTED), False),
    ((LISTED, (b"203.0.113.9",), LISTED), False),
    ((NOT_LISTED, NOT_LISTED, NOT_LISTED), False),
    ((LISTED, NOT_LISTED, NOT_LISTED), False)])
def test_which_zones_are_believed(answers: tuple[tuple[bytes, ...], ...], believed: bool) -> None:
    """A90, A91."""
    assert (fault(CLIENT, answers) is None) is believed


def test_a_zone_without_ipv6_lists_nobody_there() -> None:
    """It has no test point of IPv6, which is no fault until it lists something."""
    points = of_address(b"2001:db8::1")

    assert fault(points, (NOT_LISTED, NOT_LISTED, NOT_LISTED)) is None
    assert fault(points, (LISTED, NOT_LISTED, NOT_LISTED)) is not None
    assert fault(points, (LISTED, NOT_LISTED, LISTED)) is None
    assert fault(points, (NOT_LISTED, LISTED, NOT_LISTED)) is not None


def test_domains_have_one_test_point() -> None:
    points = of_domain(b"a.example")

    assert points.names(b"uri.test") == [b"a.example.uri.test", b"invalid.uri.test"]
    assert fault(points, (LISTED, NOT_LISTED)) is None
    assert fault(points, (LISTED, LISTED)) is not None


def check() -> ListCheck:
    tags = {name: SiteTag(name, "dnsbl", where) for name, where in (
        ("sbl", "zen.test 127.0.0.2"), ("xbl", "zen.test 127.0.0.4-127.0.0.7"), ("dul", "dul.test"))}
    return ListCheck(tags, lambda known: of_address(known.ip))


def findings(dns: Dns, *wanted: str) -> tuple[dict[str, bool | float | None], DictLookups, dict[str, bytes]]:
    known, lookups = mail(ip=b"192.0.2.1"), DictLookups(dns=dns)
    return complete(check()(known, lookups, wanted)), lookups, known.reasons


GOOD = {(b"2.0.0.127.zen.test", "A"): LISTED, (b"2.0.0.127.dul.test", "A"): LISTED}


def test_each_zone_is_asked_once() -> None:
    dns = Dns({**GOOD, (b"1.2.0.192.zen.test", "A"): (b"127.0.0.4",)})
    found, _, reasons = findings(dns, "sbl", "xbl", "dul")

    assert found == {"sbl": False, "xbl": True, "dul": False}
    assert reasons == {"xbl": b"127.0.0.4 from zen.test"}
    assert len(dns.asked) == 6
    assert sorted(check().questions(mail(ip=b"192.0.2.1"), ("sbl", "xbl", "dul"))) == sorted(dns.asked)


def test_only_what_is_wanted_is_asked() -> None:
    dns = Dns(dict(GOOD))

    assert findings(dns, "dul")[0] == {"dul": False}
    assert {name.partition(b".dul.")[1] for name, _ in dns.asked} == {b".dul."}


def test_a_zone_that_talks_nonsense_is_out_at_once() -> None:
    """A90: unknown, a line in the log, and three strikes; the other zones are not touched."""
    dns = Dns({**GOOD, (b"1.2.0.192.zen.test", "A"): (b"127.255.255.254",)})
    found, lookups, reasons = findings(dns, "sbl", "xbl", "dul")

    assert (found, reasons) == ({"sbl": None, "xbl": None, "dul": False}, {})
    assert (dns.struck, dns.cleared) == ([(b"zen.test", OUT)], [b"dul.test"])
    assert lookups.noted == [b"zen.test is not asked for a while: it answers 127.255.255.254"]


def test_a_zone_that_does_not_answer_has_a_strike() -> None:
    """Each session one, and a line in the log; another when the zone rests."""
    dns = Dns({**GOOD, (b"1.2.0.192.zen.test", "A"): LookupFailedError("no answer in time")})
    noted = []
    for _ in range(3):
        found, lookups, _ = findings(dns, "sbl", "dul")
        assert found == {"sbl": None, "dul": False}
        noted.append(lookups.noted)

    assert dns.struck == [(b"zen.test", 1)] * 3
    assert noted == [[b"no answer in time"], [b"no answer in time"], [
        b"no answer in time", b"zen.test is not asked for a while: it has not answered several times in a row"]]


@pytest.mark.parametrize("point", [b"1.0.0.127", b"2.0.0.127"])
def test_without_a_test_point_nothing_counts(point: bytes) -> None:
    """A91: before a zone may refuse, both have to be known."""
    failed = {(point + b".zen.test", "A"): LookupFailedError("no answer in time")}
    dns = Dns({**GOOD, (b"1.2.0.192.zen.test", "A"): LISTED, **failed})

    assert findings(dns, "sbl")[0] == {"sbl": None}
