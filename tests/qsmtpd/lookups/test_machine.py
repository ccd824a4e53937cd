"""The machine's state, against psutil, against real connections, and against files that the kernel would never write."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.machine import MachineState, memory, pressure, remotes

Address = IPv4Address | IPv6Address


def test_load() -> None:
    load = MachineState().read("load")

    assert load == pytest.approx(os.getloadavg()[0], abs=2)
    assert MachineState().read("load-cpu") == pytest.approx(load / (os.cpu_count() or 1), abs=2)


def test_memory_is_what_psutil_says() -> None:
    known = psutil.virtual_memory()

    assert MachineState().read("memory") == pytest.approx(100 * known.available / known.total, abs=5)


@pytest.mark.parametrize("name", ["cpu", "memory", "io"])
def test_pressure_is_a_percentage_or_unknown(name: str) -> None:
    """The kernel that runs the test may have no PSI."""
    try:
        Path(f"/proc/pressure/{name}").read_bytes()
    except OSError:
        with pytest.raises(LookupFailedError):
            MachineState().read(f"psi-{name}")
    else:
        assert 0 <= MachineState().read(f"psi-{name}") <= 100


def test_a_kernel_without_psi(tmp_path: Path) -> None:
    with pytest.raises(LookupFailedError, match=r"^psi-io: "):
        MachineState(str(tmp_path)).read("psi-io")


def test_the_figures_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/io").write_bytes(b"some avg10=12.34 avg60=1.00 avg300=0.50 total=77\nfull avg10=9.99 total=7\n")
    (tmp_path / "meminfo").write_bytes(b"MemTotal:       4000 kB\nMemFree:        5 kB\nMemAvailable:    1000 kB\n")

    assert MachineState(str(tmp_path)).read("psi-io") == 12.34
    assert MachineState(str(tmp_path)).read("memory") == 25


@given(st.binary(max_size=80), st.sampled_from([b"", b"MemTotal: ", b"MemTotal: 0 kB\nMemAvailable: 1 kB\n", b"some avg10="]))
def test_files_that_say_nothing(text: bytes, start: bytes) -> None:
    for figure in (memory, pressure):
        try:
            assert isinstance(figure(start + text), float)
        except ValueError:
            continue


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


def test_sessions() -> None:
    """Exact: the address, its /24, and nobody else's."""
    with connected(socket.AF_INET, "127.0.0.1", "127.0.0.5", "127.0.0.5", "127.0.0.6", "127.0.1.5") as port:
        state, ours = MachineState(), str(port).encode()

        assert state.sessions(b"127.0.0.5", ours) == (2, 3)
        assert state.sessions(b"127.0.0.7", ours) == (0, 3)
        assert state.sessions(b"127.0.1.5", ours) == (1, 1)
        assert state.sessions(b"192.0.2.1", ours) == (0, 0)
        assert state.sessions(b"::ffff:127.0.0.5", ours) == (2, 3)
    assert MachineState().sessions(b"127.0.0.5", ours) == (0, 0)


def test_sessions_by_ipv6() -> None:
    """One socket for both families: IPv4 clients are counted as such."""
    with connected(socket.AF_INET6, "::", "::1", "::1", "127.0.0.5", "127.0.0.6") as port:
        state, ours = MachineState(), str(port).encode()

        assert state.sessions(b"::1", ours) == (2, 2)
        assert state.sessions(b"::2", ours) == (0, 2)
        assert state.sessions(b"2001:db8::1", ours) == (0, 0)
        assert state.sessions(b"127.0.0.5", ours) == (1, 2)


def test_the_other_end_of_a_connection_is_no_session() -> None:
    """Nor does our port at the client's end hide one."""
    with connected(socket.AF_INET, "127.0.0.1") as port, socket.socket() as client:
        client.bind(("127.0.1.9", port))
        client.connect(("127.0.0.1", port))

        assert MachineState().sessions(b"127.0.1.9", str(port).encode()) == (1, 1)


@pytest.mark.parametrize(("ip", "port"), [(b"unknown", b"25"), (b"192.0.2.1", b""), (b"192.0.2.1", b"smtp")])
def test_who_is_not_known_is_not_counted(ip: bytes, port: bytes) -> None:
    with pytest.raises(LookupFailedError, match=r"^sessions: "):
        MachineState().sessions(ip, port)


def test_a_machine_without_ipv6(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_bytes(table([(25, ip_address("192.0.2.1"), 4711, 1)]))

    assert MachineState(str(tmp_path)).sessions(b"192.0.2.1", b"25") == (1, 1)
    assert MachineState(str(tmp_path)).sessions(b"2001:db8::1", b"25") == (0, 0)
    with pytest.raises(LookupFailedError):
        MachineState(str(tmp_path / "nowhere")).sessions(b"192.0.2.1", b"25")


def table(rows: list[tuple[int, Address, int, int]]) -> bytes:
    """The kernel's list: of connections with (our port, remote address, its port, state)."""
    text = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    for number, (port, remote, its_port, state) in enumerate(rows):
        words = remote.packed if os.sys.byteorder == "big" else b"".join(  # type: ignore[attr-defined]
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

    assert MachineState(str(proc)).sessions(ip.encode(), b"25") == (
        standing.count(client), sum(each in around for each in standing))


def unmapped(ip: Address) -> Address:
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


@given(st.binary(max_size=300))
def test_no_table_makes_it_raise(text: bytes) -> None:
    assert remotes(text, b":0019 ", 8) in ([], [text[:0]]) or b":0019 " in text


def test_numbers_of_lines_may_be_wide() -> None:
    """From ten thousand connections on."""
    rows = [(25, ip_address("192.0.2.1"), 4711, 1)] * 10_002

    assert len(remotes(table(rows), b":0019 ", 8)) == 10_002
