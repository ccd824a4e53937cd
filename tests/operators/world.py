"""What the DNS of the tests says: lists, and the names of clients."""

from collections.abc import Mapping


def listing(*addresses: str) -> tuple[str, str]:
    """The data of a DNSBL for rbldnsd: the addresses, and the test point that every list has."""
    return "ip4set", ":127.0.0.2:see http://dnsbl.example/$\n127.0.0.2\n" + "".join(f"{address}\n" for address in addresses)


def names(clients: Mapping[str, str]) -> str:
    """The zone 127.in-addr.arpa.

    clients  address: name
    """
    return "".join(
        f"{'.'.join(reversed(address.removeprefix('127.').split('.')))} PTR {name}.\n" for address, name in clients.items())
