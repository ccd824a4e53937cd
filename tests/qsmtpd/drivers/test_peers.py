"""Who a client is."""

from typing import Any

import pytest

from qsmtpd.drivers.options import Options
from qsmtpd.drivers.peers import Peers
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictDns

CLIENT, OURS = b"192.0.2.1", b"192.0.2.25"
RECORDS: dict[tuple[bytes, str], tuple[bytes, ...] | Exception] = {
    (b"1.2.0.192.in-addr.arpa", "PTR"): (b"client.test",),
    (b"client.test", "A"): (CLIENT,),
    (b"25.2.0.192.in-addr.arpa", "PTR"): (b"mx.bench.test",),
}


class Transport:
    """As asyncio's, of a connection."""

    def __init__(self, there: str = "192.0.2.1", here: str = "192.0.2.25") -> None:
        self._names = {"peername": (there, 4711), "sockname": (here, 25)}

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return self._names[name]


class Warm:
    def __init__(self, records: dict[tuple[bytes, str], tuple[bytes, ...] | Exception]) -> None:
        self.asked = 0
        self._dns = DictDns(records)

    def dns_of_session(self) -> DictDns:
        self.asked += 1
        return self._dns


def looked_up(peers: Peers, warm: Any, transport: Any = None) -> tuple[bytes | None, bytes]:
    """TCPREMOTEHOST and TCPLOCALHOST."""
    peer = peers.peer(transport or Transport())
    assert peer is not None
    complete(peers.look_up(peer, warm))
    return peer.host, peer.local


def test_names_are_looked_up_as_tcpserver_does() -> None:
    assert looked_up(Peers(Options()), Warm(RECORDS)) == (b"client.test", b"mx.bench.test")


def test_a_client_that_is_gone_already_is_nobody() -> None:
    """A36: he has reset the connection before we took it."""
    transport: Any = Transport()
    transport._names["peername"] = None

    assert Peers(Options()).peer(transport) is None


def test_our_own_name_is_asked_for_once_until_hup() -> None:
    peers, warm = Peers(Options(host_lookup=False)), Warm(RECORDS)
    for _ in range(3):
        looked_up(peers, warm)
    before = warm.asked
    peers.forget()
    looked_up(peers, warm)

    assert (before, warm.asked) == (1, 2)


@pytest.mark.parametrize(("addresses", "name"), [((CLIENT,), b"client.test"), ((b"192.0.2.9",), None)])
def test_with_p_a_name_has_to_lead_back(addresses: tuple[bytes, ...], name: bytes | None) -> None:
    records = RECORDS | {(b"client.test", "A"): addresses}

    assert looked_up(Peers(Options(paranoid=True)), Warm(records))[0] == name


def test_without_a_name_there_are_addresses() -> None:
    assert looked_up(Peers(Options()), Warm({})) == (None, OURS)


def test_an_ipv4_client_is_one_on_an_ipv6_socket_too() -> None:
    transport: Any = Transport("::ffff:192.0.2.1", "::ffff:192.0.2.25")
    peer = Peers(Options(local_name=b"mx", host_lookup=False)).peer(transport)

    assert peer is not None
    assert (peer.ip, peer.local_ip, peer.local, peer.port, peer.local_port) == (CLIENT, OURS, b"mx", b"4711", b"25")
