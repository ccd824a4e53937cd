"""The lines of badmailfrom and badrcptto."""

import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.addresspatterns import AddressPatterns, entry

LINES = (b"spam@b.test", b"@Evil.test", b".pool.test", b"@.pond.test", b"root", b"abuse@", b"*-offers@*.test",
         b"news*@lists.example", b"*@[192.0.2.1]", b"x@[IPv6:2001:DB8::1]")


@pytest.mark.parametrize(("address", "found"), [
    (b"spam@b.test", b"spam@b.test"), (b"SPAM@B.test", b"spam@b.test"), (b"x@evil.test", b"@evil.test"),
    (b"x@sub.evil.test", b""),
    (b"x@notevil.test", b""), (b"a@b@evil.test", b"@evil.test"), (b"", b""), (b"evil.test", b""), (b"root", b"root"),
    (b"root@b.test", b""), (b"x@a.pool.test", b".pool.test"), (b"x@pool.test", b""), (b"x@a.pond.test", b".pond.test"),
    (b"abuse@any.test", b"abuse@"), (b"my-offers@shop.test", b"*-offers@*.test"), (b"my-offers@shop.example", b""),
    (b"NEWS17@lists.example", b"news*@lists.example"), (b"news@lists.example", b"news*@lists.example"),
    (b"a@[192.0.2.1]", b"*@[192.0.2.1]"), (b"X@[ipv6:2001:db8::1]", b"x@[ipv6:2001:db8::1]")])
def test_find(address: bytes, found: bytes) -> None:
    """A61."""
    assert AddressPatterns(map(entry, LINES)).find(address) == found


@pytest.mark.parametrize("line", [
    rb"^spam@", rb"@evil\.test$", rb"[0-9]+@x.test", rb"(a|b)@x.test", rb".*@x.test", rb"spam.*@x.test", rb"a|b",
    rb"us?r@x.test",
    rb"a@[192.0.2.1", rb"a@[0-9]", rb"a@[abc]", rb"!friend@x.test", rb"*a*b*c*d*e*f*g*h*i@x.test"])
def test_what_means_something_elsewhere_is_an_error(line: bytes) -> None:
    """A86: no regular expression, and nobody is left believing that his works."""
    with pytest.raises(ValueError, match=r"^[ -~]+$"):
        entry(line)


TEXT = st.lists(st.sampled_from([b"a", b"A", b"b", b"@", b".", b"*", b"*", b"\xc3"]), max_size=12).map(b"".join)


@given(TEXT, TEXT)
def test_stars(line: bytes, address: bytes) -> None:
    """As a regular expression in which only the stars mean something."""
    if b"*" not in line or not address:
        return
    try:
        compared = entry(line)
    except ValueError:
        return
    expression = b".*".join(re.escape(piece) for piece in compared.split(b"*"))

    fits = re.fullmatch(expression, address.lower(), re.DOTALL)

    assert (AddressPatterns([compared]).find(address) != b"") == (fits is not None)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_make_it_raise_anything_else(line: bytes, address: bytes) -> None:
    try:
        AddressPatterns([entry(line)]).find(address)
    except ValueError:
        return


def steps(patterns: AddressPatterns, address: bytes) -> int:
    """Lines of Python that one look takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        patterns.find(address)
    finally:
        sys.settrace(before)
    return count


def test_nothing_is_tried_twice() -> None:
    """A86: a pattern made to be slow takes as many steps for 800 bytes as for 80."""
    patterns = AddressPatterns([entry(b"*a*a*a*a*a*a*a*b")])

    assert steps(patterns, b"a" * 800) == steps(patterns, b"a" * 80)
