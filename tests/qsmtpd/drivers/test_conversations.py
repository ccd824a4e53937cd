"""The making of a session."""

import asyncio

from qsmtpd.drivers.conversations import surroundings
from qsmtpd.drivers.listener import Listener
from tests.conftest import QmailHome
from tests.listeners import listening, talk
from tests.qsmtpd.world import peer
from tests.transcript import codes


def test_programs_see_what_tcpserver_would_have_set() -> None:
    made = surroundings(peer(b"192.0.2.1", b"client.test"), {"RELAYCLIENT": b"", "QMAILQUEUE": b"bin/qqshim"})

    assert made[b"PROTO"] == b"TCP"
    assert made[b"TCPREMOTEIP"] == b"192.0.2.1"
    assert made[b"TCPREMOTEHOST"] == b"client.test"
    assert made[b"RELAYCLIENT"] == b""
    assert b"QMAILQUEUE" not in made, "qqshim would start itself"
    assert b"TCPREMOTEHOST" not in surroundings(peer(), {})


def test_control_files_that_were_never_right_are_said_to_be_wrong(qmail_home: QmailHome) -> None:
    qmail_home.write("databytes", "many")

    async def client(_: Listener, port: int) -> list[list[int]]:
        before = codes(await talk(port, [b"QUIT\r\n"]))
        qmail_home.write("databytes", "1000")
        await asyncio.sleep(1.1)
        return [before, codes(await talk(port, [b"QUIT\r\n"]))]

    assert listening(qmail_home, client) == [[421], [220, 221]]
    assert b"databytes" in (qmail_home.path / "log").read_bytes()
