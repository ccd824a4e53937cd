"""What tcpserver(1) -x finds for a client in the cdb that tcprules(1) has made: the addresses it looks for, and what they say.

As in ucspi-tcp 0.88 and in its IPv6 version, the package ucspi-tcp-ipv6, which looks for the beginnings of an address up to a
colon as well as up to a dot.  Neither knows ADDRESS/LENGTH: such a rule is in the file, and nobody looks for it.
"""

from _socket import AF_INET6, inet_pton
from struct import unpack

_MAPPED = b"\0" * 10 + b"\xff\xff"


def order(ip: bytes, host: bytes | None = None, info: bytes | None = None) -> "Iterator[bytes]":
    """The addresses for which tcpserver looks, first to last; host and info are None when they are not known."""
    if info is not None:
        yield info + b"@" + ip
        if host is not None:
            yield info + b"@=" + host
    yield ip
    if host is not None:
        yield b"=" + host
    yield from (ip[:end] for end in range(len(ip), 0, -1) if ip[end - 1:end] in (b".", b":"))
    if host is not None:
        yield from (b"=" + host[at:] for at in range(len(host)) if host[at:at + 1] == b".")
        yield b"="
    yield b""


def find(rules: "Table", ip: bytes, host: bytes | None = None, info: bytes | None = None) -> tuple[bytes, bytes] | None:
    """The address of the rule that tcpserver takes for a client, and its data; None when there is none, and it may connect.

    ip  as address() writes it
    """
    for address in order(ip, host, info):
        data = rules.get(address)
        if data is not None:
            return address, data
    return None


def decode(data: bytes) -> tuple[bool, dict[str, bytes]]:
    """Whether the client may connect, and the variables that it gets; of two with the same name the last counts.

    The data of a rule is "D" to deny and "+NAME=VALUE" to set, each with a NUL behind it.  What is neither, and what the
    last NUL is missing of, tcpserver passes over, and so do we.
    """
    allow, variables = True, {}
    for part in data.split(b"\0")[:-1]:
        name, equals, value = part[1:].partition(b"=")
        if part[:1] == b"D":
            allow = False
        elif part[:1] == b"+" and equals:
            variables[name.decode("ascii", "surrogateescape")] = value
    return allow, variables


def address(ip: bytes) -> bytes:
    """An address as tcpserver writes it into TCPREMOTEIP, and looks for it; what the kernel calls it differs in one thing.

    tcpserver puts "::" also in place of a single group of zeros, 2001:db8::1:1:1:1:1, and rules are written like that.  An
    IPv4-mapped address is IPv4; the interface of a link-local one (%eth0) is not part of it.

    Raises:
        OSError: it is no address.
    """
    if b":" not in ip:
        return ip
    packed = inet_pton(AF_INET6, ip.partition(b"%")[0].decode("ascii", "replace"))
    if packed.startswith(_MAPPED):
        return b"%d.%d.%d.%d" % tuple(packed[12:])
    groups = unpack("!8H", packed)
    start, run = _zeros(groups)
    if not run:
        return b":".join([b"%x" % group for group in groups])
    head, tail = groups[:start], groups[start + run:]
    return b":".join([b"%x" % group for group in head]) + b"::" + b":".join([b"%x" % group for group in tail])


def _zeros(groups: "Sequence[int]") -> tuple[int, int]:
    """(start, length) of the first of the longest runs of zeros."""
    best = start = run = 0
    for i, group in enumerate(groups):
        run = 0 if group else run + 1
        if run > best:
            start, best = i - run + 1, run
    return start, best


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    class Table(Protocol):
        """A cdb that is open (cdbx.CDB), or a dictionary."""

        def get(self, key: bytes, /) -> bytes | None: ...
