"""Entries and keys of lists, against a reading of the whole list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.names import address_entry, address_keys, host_entry, host_keys

NAMES = st.lists(
    st.sampled_from(["a", "B", "bench", "test", ".", ".", "@", "@", "-", "*", " ", "é", "\u212a"]), max_size=9,
).map(lambda parts: "".join(parts).encode())


def lowered(text: bytes) -> bytes:
    return bytes(byte + 32 if 0x41 <= byte <= 0x5A else byte for byte in text)


def names_host(entry: bytes, host: bytes) -> bool:
    """What an entry of a list of hosts means."""
    entry, host = lowered(entry), lowered(host).removesuffix(b".")
    return host.endswith(entry) if entry.startswith(b".") else host == entry


def names_address(entry: bytes, address: bytes) -> bool:
    """What an entry of a list of addresses means."""
    if not address:
        return False
    user, at, host = address.rpartition(b"@") if b"@" in address else (address, b"", b"")
    if entry.startswith(b".") and b"@" not in entry:
        return at == b"@" and names_host(entry, host)
    of_user, _, of_host = entry.rpartition(b"@")
    same_user, same_host = lowered(user) == lowered(of_user), lowered(host).removesuffix(b".") == lowered(of_host)
    if not of_host:
        return same_user
    return bool(at) and same_host and (same_user or not of_user)


@given(NAMES, NAMES)
def test_hosts(line: bytes, host: bytes) -> None:
    """A61, A67."""
    try:
        entry = host_entry(line)
    except ValueError:
        return

    assert (entry in host_keys(host)) == names_host(line, host)


@given(NAMES, NAMES)
def test_addresses(line: bytes, address: bytes) -> None:
    """A61, A66, A67."""
    try:
        entry = address_entry(line)
    except ValueError:
        return

    assert (entry in address_keys(address)) == names_address(line, address)


@given(NAMES)
def test_a_line_names_itself(line: bytes) -> None:
    """What an entry without a dot before it reads, it lists."""
    for parse, keys in ((host_entry, host_keys), (address_entry, address_keys)):
        try:
            entry = parse(line)
        except ValueError:
            continue
        if b"@" not in entry[:1] + entry[-1:] and not entry.startswith(b"."):
            assert entry in keys(line)


@pytest.mark.parametrize(("address", "listed"), [
    (b"user1@notbench.test", False), (b"x@bench.test", True), (b"x@bench.test.evil.example", False), (b"x@BENCH.test.", True),
    (b"x@x.bench.test", False), (b"x@mail.suffix.test", True), (b"x@suffix.test", False), (b"x@notsuffix.test", False),
    (b"Postmaster@other.test", True), (b"postmaster", True), (b"b@c@bench.test", True), (b"", False), (b"@", False),
    (b"me@host.test", True), (b"you@host.test", False), (b'"me@host.test"@other.test', False)])
def test_a_list(address: bytes, listed: bool) -> None:
    """A61."""
    entries = {address_entry(line) for line in (b"@Bench.test", b".suffix.test", b"postmaster@", b"Me@host.test")}

    assert (not entries.isdisjoint(address_keys(address))) == listed


@pytest.mark.parametrize("line", [b"", b"@", b"host", b".", b"user@.host", b"user@host.", b"@*.host", b"user@a b", b".a@b."])
def test_wrong_addresses(line: bytes) -> None:
    with pytest.raises(ValueError, match="expected user@host"):
        address_entry(line)


@pytest.mark.parametrize("line", [b"", b".", b"*.host", b"a@host", b"a b", b"host.", b"10.0.0.0/8"])
def test_wrong_hosts(line: bytes) -> None:
    with pytest.raises(ValueError, match="expected a host"):
        host_entry(line)


def test_a_name_of_dots_costs_no_more_than_a_name() -> None:
    """Keys are built of what could be a host at most, however long the line was that a client sent."""
    assert len(host_keys(b"." * 100_000)) <= 257
    assert len(address_keys(b"a@" + b"." * 100_000)) <= 259
