"""qsmtpd-listen with less room than its clients want: quick temporary answers, bounded memory, and mail again afterwards."""

import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.servers import Service, free_port, listens, running, wait_until
from tests.transcript import codes

SENDERS = 200
BEGIN = b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\n"
LINES = (b"y" * 998 + b"\r\n") * 64
BEGUN = (b"354 ", b"451 ", b"421 ", b"503 ")
ENDED = (b"250 ", b"451 ", b"421 ")
QUICKLY = 2.0
MIB = 1 << 20


@pytest.fixture
def home(qmail_home: QmailHome) -> QmailHome:
    qmail_home.write("rcpthosts", "bench.test")
    return qmail_home


class Client:
    """A sender, from an address of the loopback."""

    def __init__(self, port: int, source: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30, (source, 0))
        self.heard = b""

    def hear(self, *last: bytes) -> list[int]:
        """The codes up to a last line that begins in one of these ways; fewer when the connection is closed before."""
        while not (self.heard.endswith(b"\n") and self.heard.split(b"\n")[-2].startswith(last)):
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            self.heard += piece
        heard, self.heard = self.heard, b""
        return codes(heard)

    def say(self, data: bytes) -> None:
        """Send what is taken; what happens to the connection meanwhile is heard later."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, TimeoutError):
            pass

    def ask(self, lines: bytes) -> None:
        """Send lines and wait for as many answers, or for the end."""
        self.say(lines)
        wanted = lines.count(b"\n")
        try:
            while wanted > 0 and (piece := self.socket.recv(MIB)):
                wanted -= piece.count(b"\n")
        except ConnectionError:
            pass

    def mail(self, message: bytes = b"Subject: x\r\n\r\nx\r\n") -> int:
        """A whole session; its last code but for QUIT's."""
        self.hear(b"220 ")
        self.say(BEGIN)
        answer = self.hear(*BEGUN) or [0]
        if answer[-1] == 354:
            self.say(message + b".\r\n")
            answer = self.hear(*ENDED)
        return answer[-1]

    def close(self) -> None:
        self.socket.close()


@contextmanager
def listening(installation: Path, home: QmailHome, *words: str, **more: str) -> Iterator[tuple[Service, int]]:
    port = free_port()
    argv = [installation / "bin/qsmtpd-listen", "-HR", "-l", "mx.bench.test", "--workers", "1", *words, "127.0.0.1", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "QMAILHOME": str(home.path), **more}
    with running(argv, home.path / "log", lambda: listens(port), env=environment) as service:
        yield service, port


def worker(service: Service) -> int:
    return int(Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()[0])


def weight(pid: int) -> int:
    """Bytes that no file backs."""
    _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")


def clients(stack: ExitStack, port: int, number: int) -> list[Client]:
    """They come from ten networks, so that none is at its own limit."""
    made = [Client(port, f"127.0.{1 + each % 10}.{1 + each // 10}") for each in range(number)]
    for each in made:
        stack.callback(each.close)
    return made


def one_mail(port: int) -> int:
    client = Client(port, "127.0.99.1")
    try:
        return client.mail()
    finally:
        client.close()


def held(home: QmailHome, installation: Path) -> dict[str, str]:
    """Variables for a queue that is the spool of holdq."""
    more = {"HOLDQ": str(home.path / "spool"), "QMAILQUEUE": "/nonexistent/holdq-queue"}
    subprocess.run([installation / "bin/holdq", "init", "--one-uid"], check=True, capture_output=True,
                   env={"PATH": "/usr/bin:/bin", "QMAILHOME": str(home.path), **more})
    return more


@pytest.mark.parametrize("queue", ["program", "spool"])
def test_two_hundred_slow_senders_against_a_small_limit(queue: str, installation: Path, home: QmailHome) -> None:
    """A88, A34: memory stays bounded, the others hear it at once, and good mail flows when they have gone."""
    more = held(home, installation) if queue == "spool" else {}
    with listening(installation, home, "--memory", "4", **more) as (service, port), ExitStack() as stack:
        assert one_mail(port) == 250
        pid = worker(service)
        before = most = weight(pid)
        senders, answers = clients(stack, port, SENDERS), Counter[int]()
        for each in senders:
            began = time.monotonic()
            greeting = each.hear(b"220 ", *BEGUN)
            each.say(BEGIN)
            answers[(each.hear(*BEGUN) or greeting)[-1]] += 1
            assert time.monotonic() - began < QUICKLY
        for _ in range(6):
            for each in senders:
                each.say(b"Subject: x\r\n\r\n" + LINES)
            most = max(most, weight(pid))
            time.sleep(0.1)
        assert 20 < answers[354] <= 49, "three quarters of 4 MiB are room for 48 headers"
        assert answers[354] + answers[451] + answers[421] == SENDERS
        for each in senders:
            each.close()
        wait_until(lambda: one_mail(port) == 250, what="room again")
        log = service.output()

    assert most - before < 24 * MIB, "76 MiB were sent"
    assert "rule=memory" in log or answers[451]


def test_who_was_taken_is_served_to_the_end(installation: Path, home: QmailHome) -> None:
    """Past the limit nothing that has begun is broken off: who has his 354 gets his 250, and each of these is queued."""
    with listening(installation, home, "--memory", "4") as (_, port), ExitStack() as stack:
        senders = clients(stack, port, SENDERS)
        for each in senders:
            each.say(BEGIN)
        taken = [each for each in senders if each.hear(*BEGUN)[-1:] == [354]]
        for part in (LINES, LINES, b".\r\n"):
            for each in taken:
                each.say(part)
        accepted = sum(each.hear(*ENDED)[-1] == 250 for each in taken)
        wait_until(lambda: len(home.messages()) == accepted, what="every message that was accepted")

    assert 20 < accepted == len(taken)
    assert all(message.count(b"y" * 998) == 128 for message, _ in home.messages())


def test_messages_at_once(installation: Path, home: QmailHome) -> None:
    """Past --messages: 451 at DATA for one who was there, 421 for one who comes; and mail again as soon as one has ended."""
    with listening(installation, home, "--messages", "4") as (service, port), ExitStack() as stack:
        first, late = clients(stack, port, 4), clients(stack, port, 1)[0]
        late.hear(b"220 ")
        for each in first:
            each.say(BEGIN)
            assert each.hear(b"354 ")[-1] == 354
        began = time.monotonic()
        late.say(BEGIN)
        assert late.hear(b"451 ")[-1] == 451
        assert clients(stack, port, 1)[0].hear(b"421 ") == [421]
        assert time.monotonic() - began < QUICKLY
        first[0].say(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert first[0].hear(b"250 ")[-1] == 250
        assert one_mail(port) == 250
        log = service.output()

    assert "rule=messages verdict=refused code=421" in log


def test_a_network_cannot_have_all_of_them(installation: Path, home: QmailHome) -> None:
    """A37: senders who never finish, of one /24, do not shut the others out."""
    with listening(installation, home, "--messages", "10") as (_, port), ExitStack() as stack:
        answers = Counter[int]()
        for number in range(20):
            sender = Client(port, f"127.0.5.{number + 1}")
            stack.callback(sender.close)
            sender.say(BEGIN)
            answers[sender.hear(*BEGUN)[-1]] += 1
        good = [one_mail(port) for _ in range(20)]

    assert answers == {354: 5, 451: 15}
    assert good == [250] * 20


def test_recipients_without_end(installation: Path, home: QmailHome) -> None:
    """A31: transactions that never come to DATA: the oldest are sent home with 421, and who has begun a message is not."""
    home.write("maxrecipients", "5000")
    recipients = b"".join([b"RCPT TO:<%d@bench.test>\r\n" % number for number in range(100)])
    with listening(installation, home, "--memory", "8") as (service, port), ExitStack() as stack:
        good = Client(port, "127.0.99.1")
        stack.callback(good.close)
        good.say(BEGIN)
        assert good.hear(*BEGUN)[-1] == 354
        pid = worker(service)
        before = most = weight(pid)
        crowd = clients(stack, port, 100)
        for each in crowd:
            each.hear(b"220 ", b"421 ")
            each.say(b"HELO client.test\r\nMAIL FROM:<a@b.test>\r\n")
            each.hear(b"250 2.1.0 ", b"503 ")
        until = time.monotonic() + 12
        while time.monotonic() < until:
            for each in crowd:
                each.ask(recipients)
            most = max(most, weight(pid))
        assert "verdict=shutdown" in service.output()
        good.say(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert good.hear(*ENDED)[-1] == 250
        for each in crowd:
            each.close()
        wait_until(lambda: one_mail(port) == 250, what="room again")

    assert most - before < 50 * MIB, "without that they would be 77"


def test_what_is_left_of_a_flood_is_given_back(installation: Path, home: QmailHome) -> None:
    """Memory that is free in the process is the system's again, and is no reason to refuse anybody."""
    with listening(installation, home, "--memory", "32") as (service, port), ExitStack() as stack:
        assert one_mail(port) == 250
        pid = worker(service)
        before = weight(pid)
        senders = clients(stack, port, SENDERS)
        for each in senders:
            each.say(BEGIN)
            each.hear(*BEGUN)
            each.say(b"Subject: x\r\n\r\n" + LINES)
        wait_until(lambda: weight(pid) - before > 8 * MIB, what="growth")
        for each in senders:
            each.close()
        wait_until(lambda: weight(pid) - before < 16 * MIB, 25, "a lighter process")
        assert one_mail(port) == 250
