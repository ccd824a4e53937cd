"""Addresses and netblocks, with Python's ipaddress as the oracle."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.netblock import Netblocks, address, key, keys, neighbourhood, netblock, reverse, written

ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.integers(0, 2**32 - 1).map(lambda low: ipaddress.IPv6Address(0xFFFF << 32 | low)),
    st.lists(st.sampled_from([0, 0, 1, 0xFFFF]), min_size=8, max_size=8).map(
        lambda groups: ipaddress.IPv6Address(b"".join(group.to_bytes(2) for group in groups))))

TEXTS = st.lists(st.sampled_from(
    ["0", "1", "25", "255", "256", "01", "ffff", "FFFF", "db8", "12345", ".", ":", "::", "/", "%", "8", "24", "128", " ", "-"]),
    max_size=18).map("".join)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def unmapped(ip: Address) -> Address:
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip


def numbers(ip: Address) -> tuple[int, int]:
    ip = unmapped(ip)
    return ip.max_prefixlen, int(ip)


def oracle(text: str) -> tuple[int, int] | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else numbers(ip)


def network_oracle(text: str) -> tuple[int, int, int] | None:
    _, slash, length = text.partition("/")
    if (slash and not length.isdigit()) or len(length) > 3 or "%" in text:
        return None
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    bits, start = network.max_prefixlen, int(network.network_address)
    if bits == 128 and network.prefixlen >= 96 and start >> 32 == 0xFFFF:
        return 32, network.prefixlen - 96, start & 0xFFFFFFFF
    return bits, network.prefixlen, start


@given(ADDRESSES)
def test_every_address(ip: Address) -> None:
    """In each of the ways in which it may be written; and it is written in one way only."""
    assert address(str(ip).encode()) == address(ip.exploded.upper().encode()) == numbers(ip)
    assert written(*numbers(ip)) == str(unmapped(ip)).encode()


@given(TEXTS)
def test_what_is_no_address(text: str) -> None:
    try:
        found = address(text.encode())
    except ValueError:
        assert oracle(text) is None
    else:
        assert found == oracle(text)


@given(TEXTS)
def test_what_is_no_netblock(text: str) -> None:
    try:
        found = netblock(text.encode())
    except ValueError:
        assert network_oracle(text) is None
    else:
        assert text.endswith(".") or found == network_oracle(text)


@given(st.binary(max_size=50))
def test_no_bytes_make_it_raise_anything_else(text: bytes) -> None:
    for parse in (address, netblock):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.parametrize(("text", "canonical"), [
    (b"192.0.2.5", b"192.0.2.5"), (b"192.0.2.5/32", b"192.0.2.5"), (b"192.0.2.", b"192.0.2.0/24"), (b"10.", b"10.0.0.0/8"),
    (b"0.0.0.0/0", b"0.0.0.0/0"), (b"2001:DB8::/32", b"2001:db8::/32"), (b"2001:db8::1", b"2001:db8::1"), (b"::/0", b"::/0"),
    (b"::ffff:192.0.2.5", b"192.0.2.5"), (b"::ffff:192.0.2.0/120", b"192.0.2.0/24"), (b"::ffff:0:0/96", b"0.0.0.0/0")])
def test_key(text: bytes, canonical: bytes) -> None:
    assert key(text) == canonical


@pytest.mark.parametrize("text", [
    b"", b".", b"192.0.2.0.", b"192.0.2.5/24", b"192.0.2.0/33", b"192.0.2.0/", b"192.0.2.0/-1", b"192.0.2", b"192.0.2.05",
    b"1.2.3.4.5", b"::/129", b"2001:db8::1/32", b"fe80::1%eth0", b"1.2.3.4::", b"::1.2.3.4:5", b"a.example", b"192.0.2.0/24 "])
def test_wrong(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[ -~]+$"):
        netblock(text)


@given(ADDRESSES)
def test_keys_are_all_netblocks_around(ip: Address) -> None:
    ip = unmapped(ip)

    found = list(keys(str(ip).encode()))

    around = [ipaddress.ip_network((ip, length), strict=False) for length in range(ip.max_prefixlen, -1, -1)]
    assert found == [str(ip).encode(), *(str(network).encode() for network in around)]


@given(ADDRESSES, st.integers(0, 128))
def test_what_a_cdb_has_is_found(ip: Address, length: int) -> None:
    """The key of whoever writes the database is one of those of whoever looks."""
    network = ipaddress.ip_network((ip, min(length, ip.max_prefixlen)), strict=False)
    inside = unmapped(ip).version == unmapped(network.network_address).version

    assert (key(str(network).encode()) in keys(str(ip).encode())) == inside


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 128)), max_size=20), ADDRESSES)
def test_netblocks(drawn: list[tuple[Address, int]], ip: Address) -> None:
    """As if each netblock of the list was looked at; the smallest is named."""
    networks = [ipaddress.ip_network((each, min(length, each.max_prefixlen)), strict=False) for each, length in drawn]
    blocks = [netblock(str(network).encode()) for network in networks]
    bits, number = numbers(ip)
    around = [(length, start) for of_bits, length, start in blocks
              if of_bits == bits and start <= number < start + 2**(bits - length)]

    found = Netblocks(blocks).find(bits, number)

    assert (netblock(found) if found else None) == ((bits, *max(around)) if around else None)


@given(ADDRESSES)
def test_reverse(ip: Address) -> None:
    assert reverse(str(ip).encode()) == unmapped(ip).reverse_pointer.encode()


@pytest.mark.parametrize(("ip", "around"), [(b"192.0.2.77", b"192.0.2.0/24"), (b"2001:db8:1:2:3::4", b"2001:db8:1:2::/64")])
def test_neighbourhood(ip: bytes, around: bytes) -> None:
    assert neighbourhood(ip) == netblock(around)
