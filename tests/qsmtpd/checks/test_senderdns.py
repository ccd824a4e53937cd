"""The sender's domain in the DNS."""

from collections.abc import Iterator

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.senderdns import SenderDns
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.checks.dnsworld import Dns, answer, lookups, world
from tests.qsmtpd.world import DictLookups, mail

WORDS = ("sender-nodns", "sender-nullmx")


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    with world() as port:
        yield port


@pytest.mark.parametrize(("domain", "nodns", "nullmx"), [
    (b"example.test", False, False), (b"web.example.test", False, False), (b"six.example.test", False, False),
    (b"alias.example.test", False, False), (b"nomail.example.test", False, True), (b"txt.example.test", True, False),
    (b"none.example.test", True, False), (b"NONE.Example.Test", True, False), (b"a..b", True, False),
    (b"x" * 64 + b".test", True, False)])
def test_domains(domain: bytes, nodns: bool, nullmx: bool, dns: int) -> None:
    known = mail(sender=b"a@" + domain)

    assert answer(SenderDns(), known, lookups(dns), *WORDS) == {"sender-nodns": nodns, "sender-nullmx": nullmx}
    assert set(known.reasons) == {name for name, holds in zip(WORDS, (nodns, nullmx), strict=True) if holds}


@pytest.mark.parametrize("sender", [b"", b"postmaster", b"a@[192.0.2.1]", b"a@"])
def test_senders_without_a_domain(sender: bytes) -> None:
    dns = Dns()

    assert answer(SenderDns(), mail(sender=sender), DictLookups(dns=dns), *WORDS) == dict.fromkeys(WORDS, False)
    assert dns.asked == dns.prefetched == []


def test_a_domain_that_is_not_in_ascii_is_not_known() -> None:
    known = mail(sender="a@bücher.test".encode())

    assert SenderDns().questions(known, WORDS) == ()
    with pytest.raises(LookupFailedError):
        complete(SenderDns()(known, DictLookups(dns=Dns()), WORDS))


FAILED = LookupFailedError("no answer in time")


@pytest.mark.parametrize(("mx", "a", "aaaa", "nodns", "nullmx"), [
    (FAILED, (), (), None, None), (FAILED, (b"192.0.2.1",), (), False, None), (FAILED, (), (b"2001:db8::1",), False, None),
    (FAILED, FAILED, (b"2001:db8::1",), False, None), ((), FAILED, (), None, False), ((), (), FAILED, None, False),
    ((), FAILED, (b"2001:db8::1",), False, False), ((), (b"192.0.2.1",), FAILED, False, False),
    ((b"", b"mx.test"), (), (), False, False)])
def test_a_failure_is_never_a_lack(
        mx: "tuple[bytes, ...] | Exception", a: "tuple[bytes, ...] | Exception", aaaa: "tuple[bytes, ...] | Exception",
        nodns: bool | None, nullmx: bool | None,
) -> None:
    """A95: what no server has said is unknown; one address is enough to know that there is one."""
    dns = Dns({(b"a.test", "MX"): mx, (b"a.test", "A"): a, (b"a.test", "AAAA"): aaaa})

    found = answer(SenderDns(), mail(sender=b"x@a.test"), DictLookups(dns=dns), *WORDS)

    assert found == {"sender-nodns": nodns, "sender-nullmx": nullmx}


def test_addresses_are_asked_for_only_without_an_mx() -> None:
    dns = Dns({(b"a.test", "MX"): (b"mx.test",)})
    answer(SenderDns(), mail(sender=b"x@a.test"), DictLookups(dns=dns), *WORDS)

    assert dns.asked == [(b"a.test", "MX")]


def test_what_is_not_wanted_is_not_asked_nor_called_unknown() -> None:
    """A rule that asks for the other word later gets its answer then."""
    dns = Dns()
    found = complete(SenderDns()(mail(sender=b"x@a.test"), DictLookups(dns=dns), ("sender-nullmx",)))

    assert found == {"sender-nullmx": False}
    assert dns.asked == [(b"a.test", "MX")]
