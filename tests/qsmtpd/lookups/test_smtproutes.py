"""The lines of smtproutes, and which one is taken."""

import pytest

from qsmtpd.lookups.smtproutes import Route, find
from qsmtpd.names import host_keys


@pytest.mark.parametrize(("line", "parts"), [
    (b"Far.example:relay.example", (b"far.example", b"relay.example", 25)),
    (b".far.example:relay.example:26", (b".far.example", b"relay.example", 26)),
    (b"far.example:", (b"far.example", b"", 25)),
    (b":relay.example", (b"", b"relay.example", 25)),
    (b"far.example:192.0.2.1:", (b"far.example", b"192.0.2.1", 25)),
    (b"far.example:[2001:db8::1]:26", (b"far.example", b"2001:db8::1", 26)),
    (b"far.example:[192.0.2.1]", (b"far.example", b"192.0.2.1", 25))])
def test_a_line(line: bytes, parts: tuple[bytes, bytes, int]) -> None:
    route = Route(line)

    assert (route.domain, route.relay, route.port) == parts


@pytest.mark.parametrize("line", [b"far.example", b"far.example:relay:smtp", b"far.example:relay:0", b"a:b:65536", b"a:b:1:2"])
def test_what_is_no_line(line: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        Route(line)


@pytest.mark.parametrize(("host", "relay"), [
    (b"a.far.example", b"exact"), (b"b.far.example", b"below"), (b"c.b.far.example", b"below"), (b"far.example", None),
    (b"own.example", None), (b"other.example", None), (b"", None)])
def test_the_most_special_route_is_taken(host: bytes, relay: bytes | None) -> None:
    """A101: never the one for all others, nor the domain's own MX."""
    lines = [b".far.example:below", b"a.far.example:exact", b"own.example:", b".example:", b":others"]
    found = find({route.domain: route for route in map(Route, lines)}, host_keys(host))

    assert (found.relay if found else None) == relay
