"""The name in HELO in the DNS, and an address in its place."""

from collections.abc import Iterator

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.helodns import HeloDns
from tests.qsmtpd.checks.dnsworld import Dns, answer, lookups, world
from tests.qsmtpd.world import DictLookups, mail


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    with world() as port:
        yield port


@pytest.mark.parametrize(("helo", "nodns"), [
    (b"mx.example.test", False), (b"MX.example.test.", False), (b"six.example.test", False), (b"example.test", False),
    (b"alias.example.test", False), (b"none.example.test", True), (b"txt.example.test", True), (b"a..b", True),
    (b"oneword", False), (b"", False), (None, False), (b"[192.0.2.1]", False), (b"192.0.2.1", False), (b"[nonsense.x]", False)])
def test_names(helo: bytes | None, nodns: bool, dns: int) -> None:
    """Names without a dot and addresses are for other words."""
    known = mail(helo=helo)

    assert answer(HeloDns(), known, lookups(dns), "helo-nodns") == {"helo-nodns": nodns}
    assert set(known.reasons) == ({"helo-nodns"} if nodns else set())


@pytest.mark.parametrize("kind", ["A", "AAAA", "MX"])
def test_a_failure_is_never_a_lack(kind: str) -> None:
    dns = Dns({(b"a.test", kind): LookupFailedError("no answer in time")})

    found = answer(HeloDns(), mail(helo=b"a.test"), DictLookups(dns=dns), "helo-nodns", "helo-forged")

    assert found == {"helo-nodns": None, "helo-forged": False}


@pytest.mark.parametrize(("ip", "helo", "forged"), [
    (b"192.0.2.1", b"[192.0.2.1]", False), (b"192.0.2.1", b"192.0.2.1", False), (b"192.0.2.1", b"[192.0.2.2]", True),
    (b"192.0.2.1", b"192.0.2.2", True), (b"192.0.2.1", b"[IPv6:::ffff:192.0.2.1]", False),
    (b"192.0.2.1", b"[IPv6:2001:db8::1]", True),
    (b"2001:db8::1", b"[IPv6:2001:DB8:0:0:0:0:0:1]", False), (b"2001:db8::1", b"[ipv6:2001:db8::2]", True),
    (b"2001:db8::1", b"[192.0.2.1]", True), (b"192.0.2.1", b"[nonsense]", False), (b"192.0.2.1", b"[192.0.2.1", False),
    (b"192.0.2.1", b"mx.example.test", False), (b"192.0.2.1", None, False), (b"unknown", b"[192.0.2.1]", None)])
def test_forged(ip: bytes, helo: bytes | None, forged: bool | None) -> None:
    """However it is written, without any look-up."""
    known, dns = mail(ip=ip, helo=helo), Dns()

    assert answer(HeloDns(), known, DictLookups(dns=dns), "helo-forged") == {"helo-forged": forged}
    assert dns.asked == dns.prefetched == []
    assert known.reasons == ({"helo-forged": (helo or b"") + b" is not " + ip} if forged else {})


def test_the_rest_is_asked_only_without_an_address() -> None:
    dns = Dns({(b"a.test", "A"): (b"192.0.2.1",)})
    answer(HeloDns(), mail(helo=b"A.test."), DictLookups(dns=dns), "helo-nodns")

    assert dns.asked == [(b"a.test", "A")]
