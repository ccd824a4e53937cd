"""Listening: real sockets, real clients, and sockets that somebody else opened."""

import os
import posix
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from qsmtpd.drivers.options import Options, parse
from qsmtpd.drivers.sockets import OpenError, Sockets, open_all, passed_by_systemd, settle
from tests.servers import free_port


def options(line: str) -> Options:
    found = parse(line.split())
    assert found is not None
    return found


@contextmanager
def listening(line: str) -> Iterator[tuple[Sockets, Options]]:
    given = options(line if "--workers" in line else f"--workers 1 {line}")
    with closing(open_all(given)) as sockets:
        yield sockets, given


def accepted(candidates: list[socket.socket]) -> tuple[int, socket.socket]:
    """The number of the socket that a client has come to, and the connection."""
    ready, _, _ = select.select(candidates, [], [], 10)
    return candidates.index(ready[0]), ready[0].accept()[0]


def test_a_port_that_is_free() -> None:
    with listening("127.0.0.1 0") as (sockets, _):
        assert sockets.ports() == [each.getsockname()[1] for each in sockets.opened[0]][:1]
        assert sockets.ports() != [0]


def test_workers_share_the_port() -> None:
    """And a network belongs to one of them."""
    with listening("--workers 4 127.0.0.1 0") as (sockets, _):
        group = [sockets.of_worker(number)[0] for number in range(4)]
        found: dict[str, int] = {}
        for source in [f"127.9.{third}.{last}" for third in range(20) for last in (1, 200)]:
            with socket.create_connection(("127.0.0.1", sockets.ports()[0]), 10, (source, 0)):
                number, connection = accepted(group)
                connection.close()
                assert found.setdefault(source.rpartition(".")[0], number) == number

    assert len(set(found.values())) > 1


def test_ipv4_and_ipv6_are_two_addresses() -> None:
    port = free_port()
    with listening(f"0 {port} :: {port}") as (sockets, _):
        assert sockets.ports() == [port, port]
        for ip, own in (("127.0.0.1", 0), ("::1", 1)):
            with socket.create_connection((ip, port), 10):
                number, connection = accepted(sockets.of_worker(0))
                connection.close()
                assert number == own


def test_a_port_that_is_taken() -> None:
    """By another one of us, too, who would share it with us if he were not asked."""
    with listening("--workers 2 127.0.0.1 0") as (sockets, _):
        port = sockets.ports()[0]
        with pytest.raises(OpenError, match=f"unable to listen on 127.0.0.1 port {port}: Address already in use"):
            open_all(options(f"127.0.0.1 {port}"))


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.name.invalid", "a..b", "x" * 70])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(OpenError, match=f"unable to listen on {host} port 25252: "):
        open_all(options(f"{host} 25252"))


def test_ipv4_only() -> None:
    with listening("-4 localhost 0") as (sockets, _):
        assert sockets.of_worker(0)[0].family == socket.AF_INET


def test_replies_are_not_delayed() -> None:
    """Also on a socket that was passed on: else each session stalls for 40 ms."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        line = f"127.0.0.1 0 fd:{os.dup(theirs.fileno())}"
        with listening(line) as (sockets, _):
            for each in sockets.of_worker(0):
                with socket.create_connection(each.getsockname(), 10), accepted([each])[1] as connection:
                    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("keep", [False, True])
def test_ip_options_are_killed(keep: bool) -> None:
    """As tcpserver does, unless -o is given: a record route here, which the kernel would send back."""
    with listening(f"{'-o' if keep else '-O'} 127.0.0.1 0") as (sockets, given), socket.socket() as client:
        client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        client.connect(("127.0.0.1", sockets.ports()[0]))
        with accepted(sockets.of_worker(0))[1] as connection:
            settle(connection, given)
            assert bool(connection.getsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, 40)) is keep


def test_a_socket_that_was_passed_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        fd = os.dup(theirs.fileno())
        with listening(f"--workers 2 fd:{fd}") as (sockets, _):
            assert not os.get_inheritable(sockets.of_worker(0)[0].fileno())
            assert sockets.ports() == [theirs.getsockname()[1]]
            assert sockets.of_worker(0) == sockets.of_worker(1)
            assert not sockets.of_worker(1)[0].getblocking()


def test_a_descriptor_that_is_no_such_socket() -> None:
    with socket.socket() as silent, socket.socket(type=socket.SOCK_DGRAM) as datagrams, open("/dev/null", "rb") as file:
        cases = {silent.fileno(): "it does not listen", datagrams.fileno(): "it is no TCP socket", file.fileno(): "non-socket"}
        for fd, why in cases.items():
            with pytest.raises(OpenError, match=f"unable to listen on descriptor [0-9]+: .*{why}"):
                open_all(options(f"fd:{os.dup(fd)}"))
    with pytest.raises(OpenError, match="descriptor 999: Bad file descriptor"):
        open_all(options("fd:999"))


@pytest.mark.parametrize(("pid", "count", "found"), [
    (str(os.getpid()), "2", (3, 4)), ("1", "2", ()), (None, "2", ()), (str(os.getpid()), None, ()),
    (str(os.getpid()), "x", ()), (str(os.getpid()), "99999", ())])
def test_systemd(monkeypatch: pytest.MonkeyPatch, pid: str | None, count: str | None, found: tuple[int, ...]) -> None:
    for name, value in (("LISTEN_PID", pid), ("LISTEN_FDS", count)):
        if value is not None:
            monkeypatch.setitem(posix.environ, name.encode(), value.encode())

    assert passed_by_systemd() == found


def test_a_worker_keeps_only_its_own() -> None:
    with listening("--workers 3 127.0.0.1 0 127.0.0.1 0") as (sockets, _):
        sockets.close(but_of=1)

        assert [[each.fileno() >= 0 for each in group] for group in sockets.opened] == [[False, True, False]] * 2
