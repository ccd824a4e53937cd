"""Many sessions in one process: every dialogue of the corpus, and what only such a process can get wrong."""

import asyncio
import gc
import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from qsmtpd.drivers.listener import Listener
from qsmtpd.drivers.options import Options
from tests.conftest import QmailHome
from tests.listeners import listening, talk
from tests.play import pieces, prepare, without_received
from tests.transcript import Dialogue, codes, load

HELLO = b"EHLO client.test\r\n"


@pytest.mark.parametrize("way", ["whole", "lines"])
@pytest.mark.parametrize("dialogue", load(), ids=repr)
def test_dialogue(dialogue: Dialogue, way: str, qmail_home: QmailHome) -> None:
    prepare(dialogue, qmail_home)

    answer = listening(qmail_home, lambda _, port: talk(port, pieces(dialogue, way)), env=dialogue.env)

    assert isinstance(answer, bytes)
    assert dialogue.ours == codes(answer)
    assert dialogue.queued == [(without_received(message), envelope) for message, envelope in qmail_home.messages()]


def test_two_hundred_at_once_each_get_their_own(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")

    async def client(listener: Listener, port: int) -> list[bytes]:
        said = [[b"EHLO c%d.test\r\nMAIL FROM:<a%d@b.test>\r\n" % (n, n), b"RCPT TO:<x%d@bench.test>\r\nDATA\r\n" % n,
                 b"number %d\r\n.\r\nQUIT\r\n" % n] for n in range(60)]
        return await asyncio.gather(*[talk(port, each, 0.01) for each in said])

    answers = listening(qmail_home, client)

    assert isinstance(answers, list)
    assert all(codes(answer) == [220, 250, 250, 250, 354, 250, 221] for answer in answers)
    found = {envelope: message for message, envelope in qmail_home.messages()}
    assert len(found) == 60
    for number in range(60):
        message = found[b"Fa%d@b.test\0Tx%d@bench.test\0\0" % (number, number)]
        assert message.endswith(b"number %d\n" % number)
        assert b"(HELO c%d.test)" % number in message


def test_past_the_limit_it_says_so_at_once_and_takes_the_next_when_one_has_gone(qmail_home: QmailHome) -> None:
    """A37."""
    options = Options(limit=5, per_net=5, per_address=2, host_lookup=False)

    async def client(listener: Listener, port: int) -> list[list[int]]:
        held = [await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.0.{n}", 0)) for n in (1, 1, 2, 3)]
        for reader, _ in held:
            await reader.readline()
        said = [codes(await talk(port, [b"QUIT\r\n"], source="127.0.0.1"))]
        held.append(await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.4", 0)))
        await held[-1][0].readline()
        said.append(codes(await talk(port, [b"QUIT\r\n"], source="127.0.0.9")))
        held[0][1].close()
        while listener.held > 4:
            await asyncio.sleep(0.01)
        said.append(codes(await talk(port, [b"QUIT\r\n"], source="127.0.0.1")))
        for _, writer in held:
            writer.close()
        return said

    assert listening(qmail_home, client, options) == [[421], [421], [220, 221]]


def test_a_client_that_resets_takes_nobody_with_it(qmail_home: QmailHome) -> None:
    """A36."""
    qmail_home.write("rcpthosts", "bench.test")

    async def client(listener: Listener, port: int) -> tuple[int, list[int]]:
        for said in (b"", HELLO, HELLO + b"MAIL FROM:<>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\nhalf"):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(said)
            await asyncio.sleep(0.05)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        answer = codes(await talk(port, [HELLO + b"QUIT\r\n"]))
        while listener.held:
            await asyncio.sleep(0.01)
        return listener.held, answer

    assert listening(qmail_home, client) == (0, [220, 250, 221])
    assert qmail_home.messages() == []


def test_a_rule_that_changes_is_in_force_for_the_next_client(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    said = [b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nQUIT\r\n"]

    async def client(listener: Listener, port: int) -> list[list[int]]:
        answers = [codes(await talk(port, said))]
        qmail_home.write("rules", "any refuse")
        await asyncio.sleep(1.1)
        answers.append(codes(await talk(port, said)))
        qmail_home.write("rules", "any refuse nonsense")
        await asyncio.sleep(1.1)
        answers.append(codes(await talk(port, said)))
        return answers

    assert listening(qmail_home, client) == [[220, 250, 250, 221], [220, 250, 550, 221], [220, 250, 550, 221]]
    assert b"rules: line 1" in (qmail_home.path / "log").read_bytes()


def test_going_down_ends_who_is_between_messages_and_waits_for_who_is_in_one(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")

    async def client(listener: Listener, port: int) -> list[bytes]:
        idle = await asyncio.open_connection("127.0.0.1", port)
        busy = await asyncio.open_connection("127.0.0.1", port)
        idle[1].write(HELLO)
        busy[1].write(HELLO + b"MAIL FROM:<>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\nhalf\r\n")
        await asyncio.sleep(0.2)
        listener.draining = True
        listener.send_home()
        ended = await idle[0].read()
        busy[1].write(b"whole\r\n.\r\n")
        answer = await busy[0].read()
        for _, writer in (idle, busy):
            writer.close()
        return [ended[-90:], answer[-120:]]

    idle, busy = listening(qmail_home, client)  # type: ignore[misc]

    assert b"421 4.3.2 going down" in idle
    assert b"250 2.0.0 ok" in busy
    assert b"421 4.3.2 going down" in busy
    assert [message[-11:] for message, _ in qmail_home.messages()] == [b"half\nwhole\n"]


def test_what_tcp_smtp_sets_is_the_sessions_and_its_programs(qmail_home: QmailHome, tmp_path: Path) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.queue_program('env > "$d/message"; cat > /dev/null; cat <&1 > "$d/envelope"; mv "$d" "${d%.part}"')
    rules = tmp_path / "tcp.cdb"
    subprocess.run(["tcprules", rules, f"{rules}.tmp"], check=True, input=(
        b'127.0.0.1:allow,RELAYCLIENT="@via.test"\n127.0.0.2:deny\n127.0.0.3:allow,DATABYTES="x"\n:allow\n'))
    options = Options(host_lookup=False, rules=str(rules), limit=50, per_net=50)
    said = [b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@far.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"]

    async def client(listener: Listener, port: int) -> list[list[int]]:
        return [codes(await talk(port, said, source=f"127.0.0.{n}")) for n in (1, 2, 3, 4)]

    assert listening(qmail_home, client, options) == [
        [220, 250, 250, 354, 250, 221], [], [421], [220, 250, 553, 503, 502, 502, 221]]
    given, envelope = qmail_home.messages()[0]
    assert envelope == b"Fa@b.test\0Tx@far.test@via.test\0\0"
    assert b"\nTCPREMOTEIP=127.0.0.1\n" in b"\n" + given
    assert b"RELAYCLIENT=@via.test\n" in given
    assert b"QMAILQUEUE=" not in given


def test_the_log_is_tcpservers_and_ours(qmail_home: QmailHome) -> None:
    options = Options(limit=50, per_net=50, verbosity=2, host_lookup=False, local_name=b"mx.bench.test")

    listening(qmail_home, lambda _, port: talk(port, [HELLO + b"QUIT\r\n"]), options)

    lines = (qmail_home.path / "log").read_text().split("\n")
    assert lines[0] == "tcpserver: status: 1/50"
    assert [line.split()[1] for line in lines if line.startswith("tcpserver:")] == ["status:", "pid", "ok", "end", "status:"]
    assert any(line.startswith("session ") and "verdict=quit" in line for line in lines)


def test_nothing_is_left_behind_by_a_thousand_sessions(qmail_home: QmailHome) -> None:
    """No descriptor, no visit; the objects of a session go with it."""
    said = [HELLO + b"MAIL FROM:<>\r\nRCPT TO:<x@elsewhere.test>\r\nQUIT\r\n"]

    async def client(listener: Listener, port: int) -> tuple[int, int, int]:
        await asyncio.gather(*[talk(port, said) for _ in range(50)])
        before = len(os.listdir("/proc/self/fd")), len(gc.get_objects())
        for _ in range(20):
            await asyncio.gather(*[talk(port, said) for _ in range(50)])
        while listener.held:
            await asyncio.sleep(0.01)
        await asyncio.sleep(2.1)  # until the wheel has let go of them
        gc.collect()
        return listener.held, len(os.listdir("/proc/self/fd")) - before[0], len(gc.get_objects()) - before[1]

    held, descriptors, objects = listening(qmail_home, client)  # type: ignore[misc]

    assert held == 0
    assert descriptors <= 0
    assert objects < 1000
