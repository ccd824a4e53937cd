"""Real connections from many networks, and at whose socket they arrive."""

import random
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.drivers.steering import attach, worker_of
from tests.network import in_own_network

SECRET = 0x5EC12E7A


@contextmanager
def group(size: int, address: str = "127.0.0.1", secret: int = SECRET) -> Iterator[list[socket.socket]]:
    """So many sockets that listen on one port."""
    with ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sockets = [stack.enter_context(socket.socket(family)) for _ in range(size)]
        for number, each in enumerate(sockets):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind((address, sockets[0].getsockname()[1] if number else 0))
            if not number:
                attach(each, size, secret)
            each.listen(64)
        yield sockets


def arrives(sockets: Sequence[socket.socket], source: str) -> int:
    """The number of the socket to which a connection from there comes."""
    with socket.socket(sockets[0].family) as client:
        client.bind((source, 0))
        client.settimeout(10)
        client.connect(("::1" if ":" in source else "127.0.0.1", sockets[0].getsockname()[1]))
        ready, _, _ = select.select(sockets, [], [], 10)
        ready[0].accept()[0].close()
        assert len(ready) == 1
        return sockets.index(ready[0])


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_network_has_one_worker(size: int) -> None:
    """A37: whatever address and port of its /24 a flood comes from, one worker counts it."""
    dice = random.Random(size)
    with group(size) as sockets:
        for third in range(0, 200, 7):
            found = {arrives(sockets, f"127.3.{third}.{dice.randrange(1, 255)}") for _ in range(4)}
            assert found == {worker_of(b"127.3.%d.1" % third, size, SECRET)}


def test_networks_are_spread_over_the_workers() -> None:
    with group(4) as sockets:
        found = [arrives(sockets, f"127.{second}.{third}.9") for second in range(8) for third in range(0, 250, 10)]

    assert min(found.count(worker) for worker in range(4)) > len(found) / 8


@pytest.mark.root
def test_ipv6_by_64() -> None:
    """A37: a client has 2**64 addresses to come from."""
    dice = random.Random(6)
    prefixes = [f"2001:db8:{dice.randrange(65536):x}:{number:x}" for number in range(40)]
    sources = [f"{prefix}::{dice.randrange(1, 65536):x}" for prefix in prefixes for _ in range(3)]

    def body() -> None:
        with group(3, "::") as sockets:
            found = {source: arrives(sockets, source) for source in sources}
            assert found == {source: worker_of(source.encode(), 3, SECRET) for source in sources}
            assert set(found.values()) == {0, 1, 2}

    in_own_network([*sources, "2001:db8::53"], body)


def test_ipv4_on_a_socket_for_both() -> None:
    """IPv4-mapped addresses are IPv4 everywhere."""
    with group(3, "::") as sockets:
        for third in range(20):
            with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1]), 10, (f"127.8.{third}.1", 0)):
                ready, _, _ = select.select(sockets, [], [], 10)
                ready[0].accept()[0].close()
            assert [sockets.index(each) for each in ready] == [worker_of(b"::ffff:127.8.%d.1" % third, 3, SECRET)]


def test_nobody_knows_which_networks_meet() -> None:
    """Those that share a worker under one secret are spread under another."""
    networks = [b"10.%d.%d.1" % (second, third) for second in range(8) for third in range(256)]
    together = [ip for ip in networks if worker_of(ip, 4, 1) == 0]
    found = [worker_of(ip, 4, 0x3C6EF372) for ip in together]

    assert max(found.count(worker) for worker in range(4)) < 0.4 * len(together)


@given(st.integers(0, 2**32 - 1), st.integers(1, 64), st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_neighbours_are_together(network: int, workers: int, secret: int, last: int) -> None:
    first = b"%d.%d.%d." % (network >> 24, network >> 16 & 255, network >> 8 & 255)

    assert 0 <= worker_of(first + b"0", workers, secret) == worker_of(first + b"%d" % last, workers, secret) < workers


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_socket_that_stays_open_elsewhere_keeps_its_number(gone: int) -> None:
    """As the master keeps them while a worker is replaced: what came in the meantime is taken by the next one."""
    with group(3) as sockets:
        copy = sockets[gone].dup()
        sockets[gone].close()
        left = [copy if number == gone else each for number, each in enumerate(sockets)]
        with copy:
            assert [arrives(left, f"127.0.{third}.1") for third in range(30)] == [
                worker_of(b"127.0.%d.1" % third, 3, SECRET) for third in range(30)]
