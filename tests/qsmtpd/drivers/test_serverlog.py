"""Our lines against those of tcpserver itself, which says the same of a connection that a real client makes."""

import re
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from qsmtpd.drivers import serverlog
from tests.servers import Service, free_port, wait_until
from tests.ucspi import classic, compiled, six

NAMES = ["mx.example.net", "a:b%c\x7f\té", "x" * 99, "x" * 100, "x" * 101, ""]


def lines_of(tcpserver: str, options: Sequence[str | Path], tmp_path: Path, address: str,
             program: str = "true") -> tuple[bytes, int]:
    """What tcpserver writes about one connection, and the port that it came from."""
    port = free_port()
    log = tmp_path / "log"
    service = Service([tcpserver, "-vRH", *options, address, str(port), program], log, None, None)
    try:
        wait_until(lambda: "status: 0/40\n" in service.output())
        with socket.create_connection((address, port), 10) as client:
            source: int = client.getsockname()[1]
            client.recv(1)
        wait_until(lambda: service.output().endswith("status: 0/40\n") and "end" in service.output())
        return log.read_bytes(), source
    finally:
        service.stop()


def ours(log: bytes, ip: str, source: int, *, allowed: bool, local_host: str, exit_code: int) -> bytes:
    """The same connection, as we would tell it."""
    found = re.search(rb"tcpserver: pid (\d+) from", log)
    port = re.search(rb":(\d+) :", log)
    assert found
    assert port
    number, address = int(found[1]), ip.encode()
    return b"".join([
        serverlog.status(0, 40), serverlog.status(1, 40), serverlog.start(number, address),
        serverlog.verdict(number, allowed=allowed, local_host=local_host.encode(), local_ip=address, local_port=int(port[1]),
                          host=None, ip=address, info=None, port=source),
        serverlog.end(number, exit_code), serverlog.status(0, 40)])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_lines(tmp_path: Path, name: str) -> None:
    log, source = lines_of(classic("tcpserver"), ["-l", name], tmp_path, "127.0.0.1")

    assert ours(log, "127.0.0.1", source, allowed=True, local_host=name, exit_code=0) == log


def test_a_client_that_the_rules_deny(tmp_path: Path) -> None:
    assert compiled("tcprules", tmp_path, b":deny\n")
    log, source = lines_of(classic("tcpserver"), ["-l0", "-x", tmp_path / "cdb"], tmp_path, "127.0.0.1")

    assert ours(log, "127.0.0.1", source, allowed=False, local_host="0", exit_code=100) == log


def test_a_program_that_fails(tmp_path: Path) -> None:
    log, source = lines_of(classic("tcpserver"), ["-l0"], tmp_path, "127.0.0.1", "false")

    assert ours(log, "127.0.0.1", source, allowed=True, local_host="0", exit_code=1) == log


def test_ipv6(tmp_path: Path) -> None:
    log, source = lines_of(six("tcpserver"), ["-l0"], tmp_path, "::1")

    assert ours(log, "::1", source, allowed=True, local_host="0", exit_code=0) == log


def test_what_a_client_calls_himself_ends_no_line() -> None:
    """A41, A42: names come from the DNS of the client's network."""
    line = serverlog.verdict(7, allowed=True, local_host=None, local_ip=b"::1", local_port=25, host=b"a b\nc:\xff", ip=b"1\n2",
                             info=b"%s\r", port=9)

    assert line == b"tcpserver: ok 7 :::1:25 a?b?c??:1?2:?s?:9\n"


def test_a_number_says_which_worker_and_which_connection() -> None:
    assert serverlog.number(4194304, 17) == 4194304000017
    assert serverlog.number(12, 1000017) == 12000017
