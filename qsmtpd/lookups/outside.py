"""Which addresses are out in the world, so that a stranger's DNS cannot send us into our own network (A101, A164)."""

from _socket import AF_INET, AF_INET6, SOCK_DGRAM, socket

from ..netblock import Netblocks, address, netblock

NOT_OUTSIDE = (
    b"0.0.0.0/8", b"10.0.0.0/8", b"100.64.0.0/10", b"127.0.0.0/8", b"169.254.0.0/16", b"172.16.0.0/12", b"192.0.0.0/24",
    b"192.0.2.0/24", b"192.88.99.0/24", b"192.168.0.0/16", b"198.18.0.0/15", b"198.51.100.0/24", b"203.0.113.0/24",
    b"224.0.0.0/3", b"2001::/23", b"2001:db8::/32", b"2002::/16", b"3fff::/20")
"""Private, shared, loopback, link-local, for documentation, multicast, reserved; of IPv6 those that hold an IPv4 address."""

GLOBAL_IPV6 = netblock(b"2000::/3")
"""The rest of IPv6 is loopback, fc00::/7, fe80::/10, multicast, translated or not yet anybody's."""


class Outside:
    """What may be connected to.

    allowed  netblocks that may be, whatever they are
    """

    __slots__ = ("_allowed", "_denied")

    def __init__(self, allowed: "Iterable[Netblock]") -> None:
        self._allowed = Netblocks(allowed)
        self._denied = Netblocks([netblock(text) for text in NOT_OUTSIDE])

    def has(self, ip: bytes) -> bool:
        """Whether an address may be connected to; what is no address may not."""
        try:
            bits, number = address(ip)
        except ValueError:
            return False
        if self._allowed.find(bits, number):
            return True
        if bits == 128 and number >> 125 != GLOBAL_IPV6[2] >> 125:
            return False
        return not self._denied.find(bits, number) and not is_own(ip)


def is_own(ip: bytes) -> bool:
    """Whether an address is one of this machine's: the kernel talks to such a one from itself.  Nothing is sent."""
    probe = socket(AF_INET6 if b":" in ip else AF_INET, SOCK_DGRAM)
    try:
        probe.connect((ip.decode("ascii"), 9))
        name: bytes = probe.getsockname()[0].encode("ascii")
    except OSError:
        return False
    finally:
        probe.close()
    return address(name) == address(ip)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..netblock import Netblock
