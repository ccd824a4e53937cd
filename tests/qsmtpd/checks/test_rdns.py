"""The client's name in the DNS."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.rdns import NAMES, WORDS, Rdns, configured
from qsmtpd.netblock import address
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.checks.dnsworld import Dns, answer, lookups, world
from tests.qsmtpd.checks.site import site
from tests.qsmtpd.world import DictLookups, mail

ALL = ("noptr", "ptr-unconfirmed", "ptr-generic")


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    with world() as port:
        yield port


def tags(ip: bytes, port: int, ptr: bytes | None = None) -> set[str]:
    known = mail(ip=ip, ptr=ptr)
    found = answer(Rdns(WORDS), known, lookups(port), *ALL)
    holds = {name for name, value in found.items() if value}
    assert set(known.reasons) == holds
    return holds


@pytest.mark.parametrize(("ip", "holds"), [
    (b"192.0.2.1", set()), (b"192.0.2.2", {"ptr-unconfirmed"}), (b"192.0.2.3", {"noptr"}), (b"192.0.2.4", {"ptr-generic"}),
    (b"192.0.2.5", {"ptr-generic"}), (b"192.0.2.6", {"ptr-unconfirmed"}), (b"192.0.2.7", {"ptr-unconfirmed"}),
    (b"192.0.2.8", {"ptr-unconfirmed", "ptr-generic"}), (b"192.0.2.20", {"ptr-unconfirmed"}), (b"2001:db8::1", set()),
    (b"2001:db8::2", {"noptr"}), (b"::ffff:192.0.2.1", set())])
def test_clients(ip: bytes, holds: set[str], dns: int) -> None:
    """A41: a PTR to localhost or to the text of the address confirms nothing."""
    assert tags(ip, dns) == holds


@pytest.mark.parametrize(("ip", "ptr", "holds"), [
    (b"192.0.2.1", b"mx.example.test", set()), (b"192.0.2.1", b"MX.example.test.", set()),
    (b"192.0.2.3", b"mx.example.test", {"ptr-unconfirmed"}), (b"192.0.2.4", b"pool-1.example.test", {"ptr-generic"}),
    (b"192.0.2.1", b"h\r\nX-Forged: y", {"ptr-unconfirmed"}), (b"192.0.2.1", b"x" * 5000, {"ptr-unconfirmed"}),
    (b"192.0.2.1", b"192.0.2.1", {"ptr-unconfirmed", "ptr-generic"}), (b"192.0.2.1", b".", {"ptr-unconfirmed"})])
def test_the_name_that_tcpserver_has_found(ip: bytes, ptr: bytes, holds: set[str], dns: int) -> None:
    """A41: it is a name, whatever it is, and nobody asks for another."""
    assert tags(ip, dns, ptr) == holds


def test_tcpremotehost_costs_no_look_up() -> None:
    dns = Dns()

    found = answer(Rdns(WORDS), mail(ptr=b"mx.example.test"), DictLookups(dns=dns), "noptr", "ptr-generic")

    assert found == {"noptr": False, "ptr-generic": False}
    assert dns.asked == dns.prefetched == []


def test_of_many_names_a_few_are_asked_for() -> None:
    """A94: 1,000 PTR records."""
    names = tuple(b"n%d.test" % number for number in range(1000))
    dns = Dns({(b"1.2.0.192.in-addr.arpa", "PTR"): names, (b"n5.test", "A"): (b"192.0.2.1",)})

    assert answer(Rdns(WORDS), mail(), DictLookups(dns=dns), "ptr-unconfirmed") == {"ptr-unconfirmed": True}
    assert len(dns.asked) == 1 + NAMES


FAILED = LookupFailedError("no answer in time")


@pytest.mark.parametrize(("first", "second", "unconfirmed"), [
    (FAILED, (b"192.0.2.1",), False), (FAILED, (b"192.0.2.9",), None), (FAILED, FAILED, None),
    ((b"192.0.2.9", b"192.0.2.1"), FAILED, False), ((), (), True)])
def test_a_failure_confirms_and_denies_nothing(
        first: "tuple[bytes, ...] | Exception", second: "tuple[bytes, ...] | Exception", unconfirmed: bool | None) -> None:
    dns = Dns({(b"1.2.0.192.in-addr.arpa", "PTR"): (b"a.test", b"b.test"), (b"a.test", "A"): first, (b"b.test", "A"): second})

    assert answer(Rdns(WORDS), mail(), DictLookups(dns=dns), *ALL) == {
        "noptr": False, "ptr-unconfirmed": unconfirmed, "ptr-generic": False}


@pytest.mark.parametrize(("ip", "records"), [
    (b"192.0.2.1", {(b"1.2.0.192.in-addr.arpa", "PTR"): FAILED}), (b"unknown", {})])
def test_without_an_answer_nothing_is_known(ip: bytes, records: dict[tuple[bytes, str], Exception]) -> None:
    """noptr comes from an answer only."""
    with pytest.raises(LookupFailedError):
        complete(Rdns(WORDS)(mail(ip=ip), DictLookups(dns=Dns(records)), ALL))


GENERIC = [
    (b"192.0.2.1", b"dyn-7.isp.example"), (b"192.0.2.1", b"x.dhcp.isp.example"), (b"192.0.2.1", b"a.pool7.isp.example"),
    (b"192.0.2.1", b"p5b0a1.dip0.t-ipconnect.example"), (b"192.0.2.1", b"adsl-1.isp.co.example"),
    (b"192.0.2.1", b"ppp12.isp.example"),
    (b"192.0.2.1", b"192-0-2-1.isp.example"), (b"192.0.2.1", b"x192.0.2.1y.isp.example"),
    (b"192.0.2.1", b"1.2.0.192.isp.example"), (b"192.0.2.1", b"1-2-0-192.isp.example"),
    (b"192.0.2.1", b"c0000201.isp.example"), (b"192.0.2.1", b"192000002001.isp.example"),
    (b"192.0.2.1", b"h-192-000-002-001.isp.example"), (b"192.0.2.1", b"192.0.2.1"),
    (b"2001:db8::1", b"20010db8" + b"0" * 23 + b"1.isp.example"), (b"2001:db8::1", b"2001-db8--1.isp.example"),
    (b"2001:db8::1", b"2001-0db8-0000-0000-0000-0000-0000-0001.isp.example"), (b"2001:db8::1", b"1.0.0.0" + b".0" * 20 +
     b".8.b.d.0.1.0.0.2.isp.example")]


@pytest.mark.parametrize(("ip", "name"), GENERIC)
def test_names_of_lines(ip: bytes, name: bytes) -> None:
    assert Rdns(WORDS).generic(name, address(ip))


@pytest.mark.parametrize("name", [
    b"mx.example.test", b"mail1.dynamics.example", b"dyn.example", b"pool.co", b"smtp-out-2.dynamo.isp.example",
    b"a.cabled.example.test",
    b"192.example.test", b"mx2.net1.192-0.example", b"mail-192-0-2.example.test", b"", b".", b"x", b"host1.192-0-2-10.example"])
def test_names_of_servers(name: bytes) -> None:
    """A word is a whole word, and not in the domain itself; another's address is not the client's."""
    assert not Rdns(WORDS).generic(name, address(b"192.0.2.1"))


def test_one_name_of_a_server_is_enough() -> None:
    dns = Dns({(b"1.2.0.192.in-addr.arpa", "PTR"): (b"dyn-7.isp.example", b"mx.example.test")})

    assert answer(Rdns(WORDS), mail(), DictLookups(dns=dns), "ptr-generic") == {"ptr-generic": False}


def test_genericptr_takes_the_place_of_the_words(tmp_path: Path) -> None:
    """Words and suffixes; nothing in them is a pattern."""
    check = configured(site(tmp_path, genericptr=b"# ours\nLine\n.users.example\n.*\n"))

    assert [check.generic(name, address(b"192.0.2.1")) for name in (
        b"line7.isp.example", b"mx.users.example", b"users.example", b"dyn-7.isp.example", b"mx.example.test")] == [
        True, True, False, False, False]


@given(name=st.binary(max_size=255), ip=st.sampled_from([b"192.0.2.1", b"2001:db8::1", b"0.0.0.0"]))
def test_any_name_is_generic_or_not(name: bytes, ip: bytes) -> None:
    assert Rdns(WORDS).generic(name, address(ip)) in (True, False)


def test_a_name_of_dots_and_digits_takes_no_time() -> None:
    """A86."""
    start = time.process_time()
    for name in (b"1." * 127, b"1-" * 127, b"a." * 127, b"-" * 255, b"9" * 255):
        Rdns(WORDS).generic(name, address(b"192.0.2.1"))

    assert time.process_time() - start < 0.5
