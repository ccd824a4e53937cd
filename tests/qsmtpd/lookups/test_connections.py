"""Who is connected: both ways to ask, against real connections and against tables of which the answer is known."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.lookups.connections import _remotes, _taken, by_netlink, by_proc
from qsmtpd.netblock import address

Address = IPv4Address | IPv6Address
Asker = Callable[[bytes, int], tuple[int, int]]


@pytest.fixture(params=[by_netlink, by_proc])
def ask(request: pytest.FixtureRequest) -> Asker:
    """Each of the two ways, of an address as text."""
    return lambda ip, port: request.param(address(ip), port)  # type: ignore[no-any-return]


@contextmanager
def connected(family: socket.AddressFamily, ours: str, *clients: str) -> Iterator[int]:
    """A server on an address of ours with a connection from each of the clients' addresses; gives its port."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(family))
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind((ours, 0))
        server.listen(len(clients) + 1)
        port = server.getsockname()[1]
        for client in clients:
            other = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in client else socket.AF_INET))
            other.bind((client, 0))
            other.connect(("::1" if ":" in client else "127.0.0.1", port))
            stack.enter_context(server.accept()[0])
        yield port


def test_ipv4(ask: Asker) -> None:
    """Exact: the address, its /24, and nobody else's."""
    with connected(socket.AF_INET, "127.0.0.1", "127.0.0.5", "127.0.0.5", "127.0.0.6", "127.0.1.5") as port:
        assert ask(b"127.0.0.5", port) == (2, 3)
        assert ask(b"127.0.0.7", port) == (0, 3)
        assert ask(b"127.0.1.5", port) == (1, 1)
        assert ask(b"192.0.2.1", port) == (0, 0)
        assert ask(b"::ffff:127.0.0.5", port) == (2, 3)
    assert ask(b"127.0.0.5", port) == (0, 0)


def test_ipv6(ask: Asker) -> None:
    """One socket for both families: IPv4 clients are counted as such."""
    with connected(socket.AF_INET6, "::", "::1", "::1", "127.0.0.5", "127.0.0.6") as port:
        assert ask(b"::1", port) == (2, 2)
        assert ask(b"::2", port) == (0, 2)
        assert ask(b"2001:db8::1", port) == (0, 0)
        assert ask(b"127.0.0.5", port) == (1, 2)


def test_the_other_end_of_a_connection_is_no_session(ask: Asker) -> None:
    """Nor does our port at the client's end hide one."""
    with connected(socket.AF_INET, "127.0.0.1") as port, socket.socket() as client:
        client.bind(("127.0.1.9", port))
        client.connect(("127.0.0.1", port))

        assert ask(b"127.0.1.9", port) == (1, 1)


def test_a_machine_without_ipv6(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_bytes(table([(25, ip_address("192.0.2.1"), 4711, 1)]))

    assert by_proc(address(b"192.0.2.1"), 25, str(tmp_path)) == (1, 1)
    assert by_proc(address(b"2001:db8::1"), 25, str(tmp_path)) == (0, 0)
    with pytest.raises(FileNotFoundError):
        by_proc(address(b"192.0.2.1"), 25, str(tmp_path / "nowhere"))


def table(rows: list[tuple[int, Address, int, int]]) -> bytes:
    """The kernel's list: of connections with (our port, remote address, its port, state)."""
    text = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    for number, (port, remote, its_port, state) in enumerate(rows):
        words = remote.packed if sys.byteorder == "big" else b"".join(
            remote.packed[i:i + 4][::-1] for i in range(0, len(remote.packed), 4))
        text += b"%4d: %b:%04X %b:%04X %02X 00000000:00000000 00:00000000 00000000     0        0 1578 1 00000000b9222f48\n" % (
            number, b"0" * 2 * len(words), port, words.hex().upper().encode(), its_port, state)
    return text


NEAR = ["192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::1", "2001:db8::2:0:0:1", "2001:db8:0:1::1", "::ffff:192.0.2.1"]
ROWS = st.lists(st.tuples(
    st.sampled_from([25, 587]), st.sampled_from(NEAR).map(ip_address), st.sampled_from([25, 4711]),
    st.sampled_from([1, 1, 6, 10])))


@given(ROWS, st.sampled_from(NEAR))
def test_every_table(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, Address, int, int]], ip: str) -> None:
    proc = tmp_path_factory.mktemp("proc")
    (proc / "net").mkdir()
    (proc / "net/tcp").write_bytes(table([row for row in rows if row[1].version == 4]))
    (proc / "net/tcp6").write_bytes(table([row for row in rows if row[1].version == 6]))
    client = unmapped(ip_address(ip))
    around = ip_network((client, 24 if client.version == 4 else 64), strict=False)
    standing = [unmapped(remote) for port, remote, _, state in rows if (port, state) == (25, 1)]

    assert by_proc(address(ip.encode()), 25, str(proc)) == (
        standing.count(client), sum(each in around for each in standing))


def unmapped(ip: Address) -> Address:
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


@given(st.binary(max_size=300))
def test_no_table_makes_it_raise(text: bytes) -> None:
    assert _remotes(text, b":0019 ", 8) == [] or b":0019 " in text


@given(st.binary(max_size=200))
def test_no_answer_of_the_kernel_makes_it_raise_anything_else(text: bytes) -> None:
    try:
        _taken(text, [])
    except OSError:
        return


def test_numbers_of_lines_may_be_wide() -> None:
    """From ten thousand connections on."""
    rows = [(25, ip_address("192.0.2.1"), 4711, 1)] * 10_002

    assert len(_remotes(table(rows), b":0019 ", 8)) == 10_002


def test_an_answer_in_many_pieces() -> None:
    """As when half of a netblock is connected."""
    with connected(socket.AF_INET, "127.0.0.1", *["127.0.0.5"] * 300) as port:
        assert by_netlink(address(b"127.0.0.6"), port) == (0, 300)
