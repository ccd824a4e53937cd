"""Who may connect while others are connected: no more than so many at once, from one address, and from one network.

An IPv6 client has a /64 to come from, and counts as one address with all of it.  Steering brings all clients of a network to
one worker, so these counts are exact; all workers together are counted in memory that they share, each in a place of its own:
when two of them take a connection in the same moment, there may be one for each worker more than the limit.
"""

import mmap

from .. import netblock

_SIZE = 8


class Tally:
    """The counts of all workers, and our place among them."""

    __slots__ = ("_counts", "_place")

    def __init__(self, counts: memoryview, place: int) -> None:
        self._counts = counts
        self._place = place

    @property
    def place(self) -> int:
        """Our number among the workers, 0 for the first."""
        return self._place

    def put(self, count: int) -> None:
        """Say how many connections we have."""
        self._counts[self._place] = count

    def total(self) -> int:
        """The connections of all workers together."""
        return sum(self._counts)


def tallies(workers: int) -> list[Tally]:
    """One for each worker, in memory that they share: they have to be made before the workers are forked."""
    counts = memoryview(mmap.mmap(-1, workers * _SIZE)).cast("q")
    return [Tally(counts, place) for place in range(workers)]


class Admission:
    """The connections that one worker has; there is an entry for each address and network that has one, and for no other.

    held  how many connections there are
    """

    __slots__ = ("_by_address", "_by_net", "_limit", "_per_address", "_per_net", "_tally", "held")

    def __init__(self, limit: int, per_address: int, per_net: int, tally: Tally | None = None) -> None:
        """The limits of Options, and where the connections of all workers are counted; 0 for an address or a network: none."""
        self._limit = limit
        self._per_address = per_address or limit
        self._per_net = per_net or limit
        self._tally = tally or tallies(1)[0]
        self._by_address: dict[bytes, int] = {}
        self._by_net: dict[bytes, int] = {}
        self.held = 0

    def total(self) -> int:
        """The connections of all workers together."""
        return self._tally.total()

    def admit(self, ip: bytes) -> str:
        """Count a connection from an address, and return ""; or say what is exhausted, "limit", "address" or "netblock"."""
        address, net = _keys(ip)
        of_address, of_net = self._by_address.get(address, 0), self._by_net.get(net, 0)
        if self._tally.total() >= self._limit:
            return "limit"
        if of_address >= self._per_address:
            return "address"
        if of_net >= self._per_net:
            return "netblock"
        self._by_address[address], self._by_net[net] = of_address + 1, of_net + 1
        self._change(1)
        return ""

    def counts(self, ip: bytes) -> tuple[int, int]:
        """The connections that stand, from an address and from its network."""
        address, net = _keys(ip)
        return self._by_address.get(address, 0), self._by_net.get(net, 0)

    def release(self, ip: bytes) -> None:
        """A connection that was admitted has ended."""
        address, net = _keys(ip)
        _one_less(self._by_address, address)
        _one_less(self._by_net, net)
        self._change(-1)

    def _change(self, by: int) -> None:
        self.held += by
        self._tally.put(self.held)


def _keys(ip: bytes) -> tuple[bytes, bytes]:
    """What an address, and its network, are counted under: 192.0.2.1 and 192.0.2, or the /64 for both."""
    if b":" not in ip:
        return ip, ip[:ip.rindex(b".")]
    bits, _, start = netblock.neighbourhood(ip.partition(b"%")[0])
    network = netblock.written(bits, start)
    if bits == 32:
        return netblock.written(*netblock.address(ip)), network[:network.rindex(b".")]
    return network, network


def _one_less(counts: dict[bytes, int], key: bytes) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
