"""Lists of domains in the DNS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.rhsbl import configured
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.checks.dnsworld import Dns, answer, lookups, world
from tests.qsmtpd.checks.site import site
from tests.qsmtpd.world import DictLookups, mail

TAGS = b"uri rhsbl uri.test 127.0.1.2-127.0.1.99\nworld rhsbl uriworld.test 127.0.1.2\ndul dnsbl dul.test\n"


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    with world() as port:
        yield port


@pytest.mark.parametrize(("sender", "listed"), [
    (b"a@bad.example.test", True), (b"a@BAD.example.TEST", True), (b"a@good.example.test", False),
    (b'"a@x"@bad.example.test', True)])
def test_senders(sender: bytes, listed: bool, dns: int, tmp_path: Path) -> None:
    known = mail(sender=sender)

    assert answer(configured(site(tmp_path, tags=TAGS)), known, lookups(dns), "uri") == {"uri": listed}
    assert known.reasons == ({"uri": b"127.0.1.2 from uri.test"} if listed else {})


def test_a_list_of_the_world(dns: int, tmp_path: Path) -> None:
    """A91."""
    looked = lookups(dns)

    assert answer(configured(site(tmp_path, tags=TAGS)), mail(sender=b"a@b.test"), looked, "world") == {"world": None}
    assert looked.noted == [b"uriworld.test is not asked for a while: it lists everything, invalid too"]


@pytest.mark.parametrize("sender", [b"", b"postmaster", b"a@[192.0.2.1]", b"a@192.0.2.1", b"a@"])
def test_senders_that_nobody_lists(sender: bytes, tmp_path: Path) -> None:
    """The null sender, and addresses, of which such lists say nonsense when they are asked."""
    dns = Dns()

    assert answer(configured(site(tmp_path, tags=TAGS)), mail(sender=sender), DictLookups(dns=dns), "uri") == {"uri": False}
    assert dns.asked == dns.prefetched == []


def test_a_domain_that_is_not_in_ascii_is_not_known(tmp_path: Path) -> None:
    check = configured(site(tmp_path, tags=TAGS))

    assert check.questions(mail(sender="a@bücher.test".encode()), ("uri",)) == ()
    with pytest.raises(LookupFailedError):
        complete(check(mail(sender="a@bücher.test".encode()), DictLookups(), ("uri",)))


def test_a_domain_that_is_too_long_is_not_listed(tmp_path: Path) -> None:
    """No list can have it."""
    known = mail(sender=b"a@" + b".".join([b"x" * 49] * 5))
    with world() as port:
        assert answer(configured(site(tmp_path, tags=TAGS)), known, lookups(port), "uri") == {"uri": False}
