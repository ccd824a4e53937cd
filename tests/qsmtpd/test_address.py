"""Paths against a reading of addrparse() that goes byte by byte, and what may never come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.address import ADDRESS_MAX, PathError, domain, is_utf8, parse

ARGUMENTS = st.lists(
    st.sampled_from([b"FROM:", b"<", b">", b"a", b"@", b"b.test", b":", b" ", b'"', b"\\", b",", b"SIZE=1", b".", b"\xc3\xa9"]),
    max_size=14).map(b"".join)


def addrparse(argument: bytes) -> bytes:
    """What qmail-smtpd takes for the address."""
    if b"<" in argument:
        terminator, rest = b">", argument[argument.index(b"<") + 1:]
    else:
        terminator, rest = b" ", argument[argument.index(b":") + 1:] if b":" in argument else b""
        rest = rest.lstrip(b" ")
    if rest[:1] == b"@":
        rest = rest[rest.index(b":") + 1:] if b":" in rest else b""
    address, escaped, quoted = b"", False, False
    for byte in (rest[i:i + 1] for i in range(len(rest))):
        if escaped:
            address, escaped = address + byte, False
        elif byte == terminator and not quoted:
            break
        elif byte == b"\\":
            escaped = True
        elif byte == b'"':
            quoted = not quoted
        else:
            address += byte
    return address


@given(ARGUMENTS)
def test_reads_as_qmail_does(argument: bytes) -> None:
    """A57, A60, A62, A63, A65, A66."""
    try:
        address, _ = parse(argument)
    except PathError:
        return

    expected = addrparse(argument)
    assert address == (expected[:-1] if expected.endswith(b".") and b"@" in expected else expected)


@given(st.binary(max_size=1000))
def test_no_bytes_make_it_raise_anything_else(argument: bytes) -> None:
    """A50, A51: and no control character ever comes out."""
    try:
        address, _ = parse(b"TO:<" + argument)
    except PathError:
        return

    assert len(address) <= ADDRESS_MAX
    assert not any(byte < 0x20 or byte == 0x7F for byte in address)


@pytest.mark.parametrize(("argument", "parameters"), [
    (b"FROM:<a@b>", {}),
    (b"FROM:<a@b> SIZE=1 body=8BITMIME", {b"SIZE": b"1", b"BODY": b"8BITMIME"}),
    (b"FROM:<a@b>  SMTPUTF8 ", {b"SMTPUTF8": b""}),
    (b"FROM:a@b SIZE=", {b"SIZE": b""}),
    (b"FROM:<a@b>junk X=y", {b"X": b"y"})])
def test_parameters(argument: bytes, parameters: dict[bytes, bytes]) -> None:
    address, found = parse(argument)

    assert (address, found) == (b"a@b", parameters)


@pytest.mark.parametrize("argument", [
    b"", b"FROM", b"FROM:<a\0b>", b"FROM:<a\rb>", b"FROM:<a@b> X X", b"FROM:<" + b"a" * 900 + b">"])
def test_errors(argument: bytes) -> None:
    with pytest.raises(PathError):
        parse(argument)


@pytest.mark.parametrize(("address", "host"), [
    (b"a@B.Test", b"b.test"), (b"a@b@C", b"c"), (b"a", None), (b"", None), (b"a@", b""), ("a@İK".encode(), "İk".encode())])
def test_domain_folds_a_to_z_only(address: bytes, host: bytes | None) -> None:
    """A62, A67."""
    assert domain(address) == host


def test_bytes_above_127() -> None:
    """A67."""
    assert is_utf8("é@b".encode())
    assert not is_utf8(b"\xe9@b")
