"""Addresses, and that nothing a scanner does holds a message longer than the deadline."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.connection import Address, Connection, address
from qqshim.scanners.base import ScannerError
from qqshim.warmconnection import WarmConnection
from qsmtpd.qmail.control import ControlError
from qsmtpd.rules.atonce import complete
from tests.scanners import lying
from tests.servers import free_port

SOON = 0.3


@pytest.mark.parametrize(("text", "target"), [
    (b"/var/run/clamd.ctl", "/var/run/clamd.ctl"), (b"127.0.0.1:3310", ("127.0.0.1", 3310)),
    (b"localhost:783", ("127.0.0.1", 783)), (b"[::1]:783", ("::1", 783)), (b"[2001:db8::7]:65535", ("2001:db8::7", 65535))])
def test_address(text: bytes, target: str | tuple[str, int]) -> None:
    assert address("clamd", text).target == target


@pytest.mark.parametrize("text", [
    b"clamd", b"127.0.0.1", b"127.0.0.1:", b"127.0.0.1:0", b"127.0.0.1:65536", b"127.0.0.1:+1", b"127.0.0.1:1 ", b"127.1:783",
    b"clamav:3310", b"::1:783", b"[127.0.0.1]:783", b"[::1]", b"relative/path", b"\xff:1", b":783", b"127.0.0.1\0:783"])
def test_no_address(text: bytes) -> None:
    with pytest.raises(ControlError, match=r"^clamd: expected /PATH or ADDRESS:PORT"):
        address("clamd", text)


@given(st.binary())
def test_nothing_else_is_raised(text: bytes) -> None:
    try:
        address("spamd", text)
    except ControlError:
        pass


Make = Callable[[Address, float], Connection]


@pytest.fixture(params=[Connection, WarmConnection])
def make(request: pytest.FixtureRequest) -> Make:
    """The one that blocks, and the one of a loop."""
    found: Make = request.param
    return found


def talk(make: Make, where: Address, *, data: bytes = b"hello", seconds: float = SOON, limit: int = 100) -> bytes:
    """Write, end writing, read to the end."""
    async def talked() -> bytes:
        with make(where, seconds) as connection:
            await connection.open()
            await connection.write(data)
            if not connection.early:
                connection.end_of_writing()
            return await connection.read_to_end(limit)
    return asyncio.run(talked()) if make is WarmConnection else complete(talked())


def echo(peer: socket) -> None:
    said = b""
    while piece := peer.recv(65536):
        said += piece
    peer.sendall(said)


def test_there_and_back(make: Make, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    with lying(tmp_path / "s", echo) as server:
        for where in (server.tcp, server.unix):
            assert talk(make, address("x", where.encode()), data=data, seconds=10, limit=len(data)) == data


def drip(peer: socket) -> None:
    """A byte now and then keeps nobody waiting longer."""
    while True:
        peer.sendall(b"x")
        time.sleep(0.05)


def read_little(peer: socket) -> None:
    peer.recv(100)
    time.sleep(SOON + 4)


@pytest.mark.parametrize("behave", [lambda _peer: time.sleep(SOON + 4), read_little, drip])
def test_a_slow_one_has_until_the_deadline(make: Make, tmp_path: Path, behave: Callable[[socket], None]) -> None:
    """A87: connect, write and read share one deadline; what trickles does not renew it."""
    start = time.monotonic()
    with lying(tmp_path / "s", behave) as server, pytest.raises(ScannerError, match="failed") as caught:
        talk(make, address("x", server.tcp.encode()), data=b"x" * (8 << 20), limit=10**9)

    assert caught.value.why
    assert time.monotonic() - start < SOON + 3


def test_one_that_does_not_read_has_until_the_deadline(make: Make, tmp_path: Path) -> None:
    start = time.monotonic()
    with lying(tmp_path / "s", lambda _peer: time.sleep(SOON + 4)) as server, pytest.raises(ScannerError) as caught:
        talk(make, address("x", server.unix.encode()), data=b"x" * (8 << 20))

    assert caught.value.why == b"no answer in time"
    assert time.monotonic() - start < SOON + 3


def test_a_full_backlog_has_until_the_deadline(make: Make, tmp_path: Path) -> None:
    """connect() to a unix socket says EAGAIN then, and poll() would not wait."""
    with socket(AF_UNIX, SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        where = address("x", str(tmp_path / "s").encode())
        with Connection(where, SOON) as waiting:
            complete(waiting.open())
            start = time.process_time()
            with pytest.raises(ScannerError) as caught:
                talk(make, where)

        assert caught.value.why == b"no answer in time"
        assert time.process_time() - start < SOON / 3


def test_nobody_there(make: Make, tmp_path: Path) -> None:
    for where in (f"127.0.0.1:{free_port()}", str(tmp_path / "none"), "/" + "x" * 200):
        with pytest.raises(ScannerError, match="failed") as caught:
            talk(make, address("x", where.encode()))
        assert b"connect" in caught.value.why


def test_an_endless_answer_is_cut(make: Make, tmp_path: Path) -> None:
    def flood(peer: socket) -> None:
        peer.recv(100)
        while True:
            peer.sendall(b"x" * 65536)

    with lying(tmp_path / "s", flood) as server, pytest.raises(ScannerError) as caught:
        talk(make, address("x", server.tcp.encode()), seconds=10, limit=4096)

    assert caught.value.why.startswith(b"endless answer")
