"""What stays the same between two attempts, and what does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.correspondents import DIGEST, key, network, same_sender


@pytest.mark.parametrize(("ip", "text"), [
    (b"192.0.2.77", b"192.0.2.0/24"), (b"::ffff:192.0.2.77", b"192.0.2.0/24"), (b"2001:db8:1:2:3:4:5:6", b"2001:db8:1:2::/64"),
    (b"::1", b"::/64")])
def test_network(ip: bytes, text: bytes) -> None:
    """A117: an IPv6 client has a /64 to itself."""
    assert network(ip) == text


@pytest.mark.parametrize("ip", [b"unknown", b"", b"1.2.3", b"192.0.2.1\n"])
def test_no_address(ip: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        network(ip)


@pytest.mark.parametrize(("addresses", "same"), [
    ([b"a@example.org", b"A@EXAMPLE.org"], b"a@example.org"),
    ([b"list-return-123-box=our.org@lists.example", b"list-return-9-box=our.org@lists.example"],
     b"list-return-#-box=our.org@lists.example"),
    ([b"list+bounces-1@example.org", b"list+x@example.org", b"list@example.org"], b"list@example.org"),
    ([b"prvs=0123456789=box@example.org", b"prvs=9876543210=box@example.org", b"box@example.org"], b"box@example.org"),
    ([b"prvs=box/0123456789@example.org"], b"box@example.org"),
    ([b"btv1==123==box@example.org", b"btv1==9abc==box@example.org"], b"box@example.org"),
    ([b"SRS0=AbCd=XY=origin.example=box@forward.example", b"srs0+zz=aa=origin.example=box@forward.example"],
     b"srs=origin.example=box@forward.example"),
    ([b"SRS1=AbCd=first.example==HhHh=XY=origin.example=box@second.example"], b"srs=origin.example=box@second.example"),
    ([b"0100018c9d2f-5a3b41aa-0000@mail.example", b"0100018d77aa-1b2c3d4e-0001@mail.example"], b"#-#-#@mail.example"),
    ([b""], b""), ([b"postmaster"], b"postmaster"), ([b"+@example.org"], b"+@example.org"),
    ([b"@example.org"], b"@example.org"),
    ([b"prvs=@example.org"], b"@example.org"), ([b"btv1==x@example.org"], b"#==x@example.org"),
    ([b"srs0=x@example.org"], b"#=x@example.org"), ([b"srs1=x@example.org"], b"#=x@example.org"),
])
def test_same_sender(addresses: list[bytes], same: bytes) -> None:
    """Mailing lists, BATV, SRS, a sending service's numbers."""
    assert {same_sender(address) for address in addresses} == {same}


@given(st.binary(max_size=40), st.sampled_from([b"", b"@example.org"]))
def test_any_sender(local: bytes, host: bytes) -> None:
    """It is never an error, and never the work of another domain."""
    found = same_sender(local + host)

    assert found.endswith(host)
    assert len(found) <= len(local + host) + 5


def test_key() -> None:
    first = key(b"192.0.2.0/24", b"a-1@example.org", b"b@our.org")

    assert len(first) == DIGEST
    assert key(b"192.0.2.0/24", b"A-22@example.org", b"B@our.org") == first
    others = [key(b"192.0.3.0/24", b"a-1@example.org", b"b@our.org"), key(b"192.0.2.0/24", b"c@example.org", b"b@our.org"),
              key(b"192.0.2.0/24", b"a-1@example.org", b"c@our.org"), key(b"192.0.2.0/24", b"", b"b@our.org"),
              key(b"192.0.2.0/24", b"a-1@example.orgb@our.org", b""), key(b"192.0.2.0/24a-1@example.org", b"", b"b@our.org")]
    assert len({first, *others}) == 7
