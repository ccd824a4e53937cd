"""One query over one socket."""

import socket

import pytest

from qsmtpd.lookups import dnsmessage
from qsmtpd.lookups.dnssocket import Datagram, Server, Stream
from tests.nameservers import lying, reply
from tests.servers import free_port, wait_until

ASKED = dnsmessage.question(b"a.test", "A")


def query(identity: bytes = b"\1\2") -> bytes:
    return dnsmessage.query(identity, ASKED, True)


@pytest.mark.parametrize("address", ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "[::1]", "192.0.2.1 "])
def test_only_numeric_addresses_are_servers(address: str) -> None:
    """A name would be looked up before there is a resolver."""
    with pytest.raises(OSError):  # noqa: PT011 - one of inet_pton's
        Server(address, 53)


@pytest.mark.parametrize(("address", "family"), [
    ("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("fe80::1%eth0", socket.AF_INET6)])
def test_servers(address: str, family: int) -> None:
    assert Server(address, 53).family == family


def test_a_datagram_takes_its_answer_only() -> None:
    """A93: what comes first, and is not the answer, is passed over."""
    with lying(lambda query: [b"", b"nonsense", reply(query)[:11], b"\xff\xff" + reply(query)[2:], reply(query)]) as server:
        way = Datagram(Server("127.0.0.1", server.port), 0, query(), ASKED)
        steps: list[bytes | None] = []
        wait_until(lambda: steps.append(way.step()) or steps[-1] is not None)
        way.close()

    assert steps[-1] == reply(query())


def test_a_datagram_takes_nothing_from_elsewhere() -> None:
    """A93: another port of the same machine has the right answer first."""
    with lying(lambda _: []) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        way = Datagram(Server("127.0.0.1", server.port), 0, query(), ASKED)
        other.sendto(reply(query()), ("127.0.0.1", way._socket.getsockname()[1]))

        assert way.step() is None
        way.close()


def test_each_query_has_a_port_of_its_own() -> None:
    with lying(lambda _: []) as server:
        ways = [Datagram(Server("127.0.0.1", server.port), 0, query(), ASKED) for _ in range(50)]
        ports = [way._socket.getsockname()[1] for way in ways]
        for way in ways:
            way.close()

    assert len(set(ports)) == 50
    assert max(ports) - min(ports) > 1000


def test_nobody_listens() -> None:
    way = Datagram(Server("127.0.0.1", free_port()), 0, query(), ASKED)

    with pytest.raises(ConnectionRefusedError):
        wait_until(lambda: way.step() is not None)
    way.close()


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_a_stream_is_read_to_its_length(pieces: int) -> None:
    """However it comes in pieces; what follows is not looked at."""
    answer = reply(query(), "TXT " + " ".join(['"' + "x" * 200 + '"'] * 20))
    wire = len(answer).to_bytes(2, "big") + answer + b"more"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        way = Stream(Server(*listener.getsockname()), 0, query(), ASKED)
        connection, _ = listener.accept()
        with connection:
            assert way.step() is None
            assert connection.recv(100) == len(query()).to_bytes(2, "big") + query()
            got = None
            for start in range(0, len(wire), pieces):
                connection.sendall(wire[start:start + pieces])
                if got is None:
                    got = way.step()
    way.close()

    assert got == answer


@pytest.mark.parametrize("said", [
    b"", b"\0", b"\0\x50short", b"\0\0more", b"\0\2xx", b"\0\x20" + b"x" * 32,
    len(reply(query(b"zz"))).to_bytes(2, "big") + reply(query(b"zz")),
    len(reply(query(), cut=True)).to_bytes(2, "big") + reply(query(), cut=True)],
    ids=["nothing", "half a length", "too little", "length 0", "two bytes", "nonsense", "other identity", "cut again"])
def test_a_stream_without_the_answer(said: bytes) -> None:
    """A93: the checks are those of UDP; a server that fails them here has had its turn."""
    with lying(lambda _: [], lambda _: said) as server:
        way = Stream(Server("127.0.0.1", server.port), 0, query(), ASKED)
        way.step()
        with pytest.raises(OSError):  # noqa: PT011 - ours, or the kernel's
            wait_until(lambda: way.step() is not None)
        way.close()
