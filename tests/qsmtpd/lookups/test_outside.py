"""Where a stranger's DNS may send us."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.lookups.outside import Outside, is_own
from qsmtpd.netblock import netblock

OUTSIDE = Outside(())


@pytest.mark.parametrize("ip", [
    b"10.1.2.3", b"172.16.0.1", b"172.31.255.255", b"192.168.1.1", b"127.0.0.1", b"169.254.169.254", b"0.0.0.0", b"100.64.0.1",
    b"224.0.0.1", b"255.255.255.255", b"240.0.0.1", b"::1", b"::", b"fe80::1", b"fd00::1", b"ff02::1", b"::ffff:127.0.0.1",
    b"::ffff:10.0.0.1", b"64:ff9b::a00:1", b"2002:a00:1::1", b"::127.0.0.1", b"2001:db8::1", b"mx.example", b"", b"10.1"])
def test_not_there(ip: bytes) -> None:
    """A101, A164: private, loopback, metadata and mapped addresses are refused, and what is no address."""
    assert not OUTSIDE.has(ip)


@pytest.mark.parametrize("ip", [
    b"8.8.8.8", b"172.32.0.1", b"100.128.0.1", b"223.255.255.255", b"2a00:1450:4001::1a", b"::ffff:8.8.8.8"])
def test_there(ip: bytes) -> None:
    assert OUTSIDE.has(ip)


@given(st.ip_addresses().map(str))
def test_nothing_is_let_through_that_python_does_not_call_global(text: str) -> None:
    """The standard library's table is the oracle; ours is stricter."""
    if OUTSIDE.has(text.encode()):
        assert ipaddress.ip_address(text).is_global
        assert not ipaddress.ip_address(text).is_multicast


def test_what_the_site_allows() -> None:
    outside = Outside([netblock(b"10.1.0.0/16"), netblock(b"127.0.0.1")])

    assert outside.has(b"10.1.2.3")
    assert outside.has(b"127.0.0.1")
    assert outside.has(b"::ffff:10.1.2.3")
    assert not outside.has(b"10.2.0.1")


def test_our_own_addresses() -> None:
    """A101: the MX is our own server, which would ask itself."""
    assert is_own(b"127.0.0.1")
    assert is_own(b"::1")
    assert not is_own(b"8.8.8.8")
