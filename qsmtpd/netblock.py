"""Addresses and netblocks of IPv4 and IPv6, from their text to numbers and back.

An address is (bits, number): 32 or 128 bits.  An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is IPv4, wherever it stands, so
nobody comes past a list by the way he is written.  A netblock is written 192.0.2.0/24, 192.0.2. as in tcp.smtp, 2001:db8::/32,
or as one address.
"""

_HEX = frozenset(b"0123456789abcdefABCDEF")


def address(text: bytes) -> "Address":
    """The numbers of an address.

    Raises:
        ValueError: it is none; the message is printable ASCII.
    """
    if b":" not in text:
        return 32, _ipv4(text)
    number = _ipv6(text)
    return (32, number & 0xFFFFFFFF) if number >> 32 == 0xFFFF else (128, number)


def netblock(text: bytes) -> "Netblock":
    """(bits, length of the prefix, first address) of a netblock.

    Raises:
        ValueError: it is none, or has bits beyond its length, by which its author meant something else.
    """
    if text.endswith(b".") and b":" not in text:
        given = text.count(b".")
        return 32, 8 * given, _ipv4(text + b".".join([b"0"] * (4 - given)))
    prefix, slash, tail = text.partition(b"/")
    bits, number = (32, _ipv4(prefix)) if b":" not in prefix else (128, _ipv6(prefix))
    length = bits
    if slash:
        if not (tail.isdigit() and len(tail) <= 3 and int(tail) <= bits):
            raise ValueError(f"expected a length of 0 to {bits} after the slash")
        length = int(tail)
    if number & ((1 << bits - length) - 1):
        raise ValueError(f"the address has bits beyond the first {length}")
    if bits == 128 and length >= 96 and number >> 32 == 0xFFFF:
        return 32, length - 96, number & 0xFFFFFFFF
    return bits, length, number


def written(bits: int, number: int) -> bytes:
    """The one way to write an address: IPv4 dotted, IPv6 as RFC 5952 has it."""
    if bits == 32:
        return b"%d.%d.%d.%d" % (number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255)
    groups = [number >> shift & 0xFFFF for shift in range(112, -16, -16)]
    start, run = _longest_zeros(groups)
    if run < 2:
        return b":".join([b"%x" % group for group in groups])
    head = b":".join([b"%x" % group for group in groups[:start]])
    return head + b"::" + b":".join([b"%x" % group for group in groups[start + run:]])


def keys(ip: bytes) -> "Iterator[bytes]":
    """The keys under which a cdb may have an address: itself, and each netblock around it, the smallest first.

    A key is the address, or ADDRESS/LENGTH, as written() writes addresses; at last 0.0.0.0/0 or ::/0.

    Raises:
        ValueError: ip is no address.
    """
    bits, number = address(ip)
    yield written(bits, number)
    for length in range(bits, -1, -1):
        number = number >> bits - length << bits - length
        yield b"%b/%d" % (written(bits, number), length)


def key(text: bytes) -> bytes:
    """The key of a netblock in a cdb that keys() finds: what makes such a cdb writes this.

    Raises:
        ValueError: it is no netblock.
    """
    bits, length, number = netblock(text)
    return b"%b/%d" % (written(bits, number), length) if length < bits else written(bits, number)


def neighbourhood(ip: bytes) -> "Netblock":
    """The netblock that commonly has one owner: the /24 around an IPv4 address, the /64 around an IPv6 address.

    Raises:
        ValueError: ip is no address.
    """
    bits, number = address(ip)
    length = 24 if bits == 32 else 64
    return bits, length, number >> bits - length << bits - length


def reverse(ip: bytes) -> bytes:
    """The name in the DNS under which the names of an address are found (RFC 1035 section 3.5, RFC 3596 section 2.5).

    Raises:
        ValueError: ip is no address.
    """
    bits, number = address(ip)
    if bits == 32:
        return b".".join([b"%d" % (number >> shift & 255) for shift in (0, 8, 16, 24)]) + b".in-addr.arpa"
    return b".".join([b"%x" % (number >> shift & 15) for shift in range(0, 128, 4)]) + b".ip6.arpa"


class Netblocks:
    """A list of netblocks; whether one of them has an address is one look into a set for each length that occurs."""

    __slots__ = ("_sets",)

    def __init__(self, blocks: "Iterable[Netblock]") -> None:
        sets: dict[tuple[int, int], set[int]] = {}
        for bits, length, number in blocks:
            sets.setdefault((bits, length), set()).add(number >> bits - length)
        self._sets = sorted(sets.items(), reverse=True)

    def find(self, bits: int, number: int) -> bytes:
        """The smallest netblock around an address, as key() writes it; b"" when there is none."""
        for (of_bits, length), prefixes in self._sets:
            if of_bits == bits and number >> bits - length in prefixes:
                start = written(bits, number >> bits - length << bits - length)
                return b"%b/%d" % (start, length) if length < bits else start
        return b""


def _ipv4(text: bytes) -> int:
    number = 0
    parts = text.split(b".")
    if len(parts) != 4:
        raise ValueError("expected an address or a netblock")
    for part in parts:
        if not (part.isdigit() and len(part) <= 3 and (part[0] != 0x30 or len(part) == 1) and int(part) <= 255):
            raise ValueError("expected four numbers of 0 to 255, without zeros before them")
        number = number << 8 | int(part)
    return number


def _ipv6(text: bytes) -> int:
    head, gap, tail = text.partition(b"::")
    front, back = _groups(head, not gap), _groups(tail, True)
    missing = 8 - len(front) - len(back)
    if missing < 1 if gap else missing:
        raise ValueError("expected eight groups, or fewer around one ::")
    number = 0
    for group in front + [0] * missing + back:
        number = number << 16 | group
    return number


def _groups(text: bytes, last: bool) -> list[int]:
    """The groups on one side of the "::"; only the last two may be written as an IPv4 address."""
    groups = []
    parts = text.split(b":") if text else []
    for i, part in enumerate(parts):
        if b"." in part and last and i == len(parts) - 1:
            number = _ipv4(part)
            groups += [number >> 16, number & 0xFFFF]
        elif 1 <= len(part) <= 4 and _HEX.issuperset(part):
            groups.append(int(part, 16))
        else:
            raise ValueError("expected groups of one to four hexadecimal digits")
    return groups


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    """(start, length) of the first of the longest runs of zeros."""
    start = best = run = 0
    for i, group in enumerate(groups):
        run = 0 if group else run + 1
        if run > best:
            start, best = i - run + 1, run
    return start, best


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Address = tuple[int, int]
    Netblock = tuple[int, int, int]
