"""Sessions that tcpserver has begun, in the listener."""

import asyncio
import os
import socket

from qsmtpd.drivers.handedsessions import found, take
from qsmtpd.drivers.listener import Listener
from tests.conftest import QmailHome
from tests.listeners import listening
from tests.transcript import codes

ENVIRONMENT = {b"PROTO": b"TCP", b"TCPREMOTEIP": b"192.0.2.7", b"TCPLOCALIP": b"127.0.0.1", b"TCPLOCALHOST": b"mx.bench.test"}


async def handed(listener: Listener, said: bytes, more: dict[bytes, bytes], end: bool = True) -> tuple[bytes, int]:
    """What the client hears, and the exit code."""
    theirs, ours = socket.socketpair()
    theirs.setblocking(False)
    beside = os.open("/dev/null", os.O_RDONLY)
    loop = asyncio.get_running_loop()
    task = loop.create_task(take(listener, ENVIRONMENT | more, {0: ours.detach(), 1: beside}, os.getpid()))
    await loop.sock_sendall(theirs, said)
    if end:
        theirs.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := await loop.sock_recv(theirs, 65536):
        answer += piece
    theirs.close()
    return answer, await task


def test_it_has_the_variables_that_tcpserver_gave(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@far.test>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n"

    async def client(listener: Listener, _: int) -> list[tuple[list[int], int, int]]:
        outcomes = []
        for more in ({b"RELAYCLIENT": b""}, {}):
            answer, code = await handed(listener, said, more)
            outcomes.append((codes(answer), code, listener.held))
        return outcomes

    relayed, refused = listening(qmail_home, client)  # type: ignore[misc]

    assert relayed == ([220, 250, 250, 354, 250, 221], 0, 0)
    assert refused[0][:3] == [220, 250, 553]
    assert b"from unknown (192.0.2.7)" in qmail_home.messages()[0][0]


def test_the_exit_code_tells_how_it_ended(qmail_home: QmailHome) -> None:
    async def client(listener: Listener, _: int) -> list[int]:
        return [(await handed(listener, said, {}))[1] for said in (b"QUIT\r\n", b"NOOP\r\n")]

    assert listening(qmail_home, client) == [0, 1]


def test_descriptors_are_not_kept(qmail_home: QmailHome) -> None:
    async def client(listener: Listener, _: int) -> int:
        await handed(listener, b"QUIT\r\n", {})
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            await handed(listener, b"QUIT\r\n", {})
        return len(os.listdir("/proc/self/fd")) - before

    assert listening(qmail_home, client) == 0


def test_what_says_nothing_of_tcp_smtp_makes_no_settings_of_its_own() -> None:
    """Or each client had control files to himself."""
    one = found(ENVIRONMENT | {b"TCPREMOTEPORT": b"1", b"PATH": b"/bin", b"DATABYTES": b"7"})
    other = found(ENVIRONMENT | {b"TCPREMOTEPORT": b"2", b"DATABYTES": b"7"})

    assert one.variables == {"DATABYTES": b"7"}
    assert one.key == other.key == b"DATABYTES=7"
    assert found(ENVIRONMENT).key == b""
