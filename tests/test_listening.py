"""qsmtpd-listen as it is installed: workers, the hand-off from a real tcpserver, the spool of holdq, faults, signals."""

import os
import signal
import smtplib
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.handoffs import is_there
from tests.play import prepare, without_received
from tests.scanners import lying, read_spamc
from tests.servers import Service, free_port, listens, running, wait_until
from tests.transcript import Dialogue, codes, load

MESSAGE = "Subject: {0}\r\n\r\nline of {0}\r\n"


def environment(home: QmailHome, **more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(home.path), **more}


@contextmanager
def listening(installation: Path, home: QmailHome, *words: str, **more: str) -> Iterator[tuple[Service, int]]:
    port = free_port()
    argv = [installation / "bin/qsmtpd-listen", "-HR", "-l", "mx.bench.test", *words, "127.0.0.1", str(port)]
    handed = more.get("QSMTPD_SERVICE")

    def ready() -> bool:
        return listens(port) and (handed is None or is_there(Path(handed)))

    with running(argv, home.path / "log", ready, env=environment(home, **more)) as service:
        yield service, port


@contextmanager
def handing_over(installation: Path, home: QmailHome, **more: str) -> Iterator[int]:
    """tcpserver with handoff in the place of qsmtpd."""
    port = free_port()
    argv = ["tcpserver", "-HR", "-l", "mx.bench.test", "127.0.0.1", str(port), installation / "bin/handoff"]
    with running(argv, home.path / "tcpserver.log", lambda: listens(port), env=environment(home, **more)):
        yield port


def workers(service: Service) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(service.pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def send(port: int, number: int = 1, recipient: str = "x@bench.test") -> int:
    """The code of the last answer."""
    try:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=30) as client:
            client.sendmail("a@b.test", recipient, MESSAGE.format(number))
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        return error.recipients[recipient][0]
    return 250


def talk(port: int, said: bytes) -> bytes:
    """All that is answered when everything is said at once."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.fixture
def home(qmail_home: QmailHome) -> QmailHome:
    qmail_home.write("rcpthosts", "bench.test")
    return qmail_home


def test_a_worker_that_dies_is_replaced_and_takes_nobody_else_with_it(installation: Path, home: QmailHome) -> None:
    with listening(installation, home, "--workers", "2") as (service, port):
        wait_until(lambda: len(workers(service)) == 2, what="two workers")
        assert [send(port, number) for number in range(4)] == [250] * 4
        os.kill(workers(service)[0], signal.SIGKILL)
        wait_until(lambda: len(workers(service)) == 2, what="two workers again")
        wait_until(lambda: send(port, 9) == 250, what="service by the new one")

    assert len(home.messages()) >= 5


def test_who_is_gone_before_he_is_taken_disturbs_nobody(installation: Path, home: QmailHome) -> None:
    """A36: a hundred resets while the worker stands still; they leave nothing open, and no traceback in the log."""
    with listening(installation, home, "--workers", "1") as (service, port):
        assert send(port) == 250
        worker, = workers(service)
        before = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        os.kill(worker, signal.SIGSTOP)
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.kill(worker, signal.SIGCONT)

        assert send(port) == 250
        wait_until(lambda: len(list(Path(f"/proc/{worker}/fd").iterdir())) <= before, what="an end of all descriptors")
        assert "Traceback" not in service.output()


def test_held_mail_goes_into_the_spool_without_a_program(installation: Path, home: QmailHome) -> None:
    """The queue is holdq in the same process: 250 only when the file and its directory are durable."""
    spool = home.path / "spool"
    more = {"HOLDQ": str(spool), "QMAILQUEUE": "/nonexistent/holdq-queue"}
    subprocess.run(
        [installation / "bin/holdq", "init", "--one-uid"], env=environment(home, **more), check=True, capture_output=True)
    with listening(installation, home, "--workers", "1", **more) as (service, port):
        assert [send(port, number) for number in range(5)] == [250] * 5
        shown = subprocess.run(
            [installation / "bin/holdq", "list"], env=environment(home, **more), check=True, capture_output=True, text=True)
        log = service.output()

    assert len(list((spool / "incoming").iterdir())) + shown.stdout.count("a@b.test") >= 5
    assert log.count("message ") == 5
    assert "code=250" in log


@pytest.mark.parametrize("dialogue", [each for each in load() if each.queued][:6], ids=repr)
def test_a_handed_session_is_the_same(dialogue: Dialogue, installation: Path, qmail_home: QmailHome, tmp_path: Path) -> None:
    prepare(dialogue, qmail_home)
    place = tmp_path / "service"
    place.mkdir(mode=0o700)
    path = str(place / "socket")
    variables = {name: value.decode() for name, value in dialogue.env.items()}
    with (listening(installation, qmail_home, "--workers", "1", QSMTPD_SERVICE=path) as (service, _),
          handing_over(installation, qmail_home, QSMTPD_SERVICE=path, **variables) as port):
        answer = talk(port, b"".join(dialogue.sent))
        wait_until(lambda: "session " in service.output(), what="a line of the service's, which did not talk then")

    assert codes(answer) == dialogue.ours
    assert [(without_received(message), envelope) for message, envelope in qmail_home.messages()] == dialogue.queued


def test_without_a_service_the_cold_program_talks(installation: Path, home: QmailHome, tmp_path: Path) -> None:
    with handing_over(installation, home, QSMTPD_SERVICE=str(tmp_path / "nobody")) as port:
        assert send(port) == 250
        wait_until(lambda: "session " in (home.path / "tcpserver.log").read_text(), what="its line in the log")


def test_the_service_may_go_and_come_back_at_any_time(installation: Path, home: QmailHome, tmp_path: Path) -> None:
    """A75: service restarts in between: mail goes on, warm or cold."""
    place = tmp_path / "service"
    place.mkdir(mode=0o700)
    path = str(place / "socket")
    answers = []
    with handing_over(installation, home, QSMTPD_SERVICE=path) as port:
        for number in range(3):
            with listening(installation, home, "--workers", "1", QSMTPD_SERVICE=path):
                answers.append(send(port, 2 * number))
            answers.append(send(port, 2 * number + 1))

    assert answers == [250] * 6
    assert len(home.messages()) == 6


def test_term_lets_a_message_come_to_its_end(installation: Path, home: QmailHome) -> None:
    with listening(installation, home, "--workers", "1", "--drain", "10") as (service, port):
        client = smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=30)
        client.mail("a@b.test")
        client.rcpt("x@bench.test")
        assert client.docmd("DATA")[0] == 354
        os.kill(service.pid, signal.SIGTERM)
        time.sleep(0.3)
        client.send(MESSAGE.format(1) + ".\r\n")
        answer = client.getreply()
        client.close()
        service.process.wait(15)

    assert answer[0] == 250
    assert service.process.returncode == 0
    assert len(home.messages()) == 1


def test_the_figures_are_on_their_port(installation: Path, home: QmailHome) -> None:
    figures = free_port()
    with listening(installation, home, "--workers", "1", "--metrics", f"127.0.0.1:{figures}") as (_, port):
        send(port)
        send(port, recipient="x@elsewhere.test")
        page = subprocess.run(
            ["/usr/bin/python3", "-c", "import sys,urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())",
             f"http://127.0.0.1:{figures}/metrics"], capture_output=True, text=True, check=True).stdout

    assert 'qsmtpd_recipients_total{code="553",rule="rcpthosts"} 1' in page
    assert 'qsmtpd_messages_total{code="250",rule=""} 1' in page


# Messages by hand-off: handoff-qqshim is the queue program

@pytest.fixture
def service_path(tmp_path: Path) -> str:
    place = tmp_path / "service"
    place.mkdir(mode=0o700)
    return str(place / "socket")


def scanned(service: Service, count: int = 1) -> bool:
    """It has scanned so many, and qqshim did not do it alone: that would say how much processor time it took."""
    lines = [line for line in service.output().split("\n") if line.startswith("message qp=")]
    return len(lines) == count and not any("cpu-ms=" in line for line in lines)


def test_qsmtpd_has_its_messages_scanned_by_the_service(
        installation: Path, home: QmailHome, service_path: str, tmp_path: Path) -> None:
    """By tcpserver and the cold qsmtpd; score and words reach it, and the words of its rules the service."""
    home.write("tags", "vip env VIP")
    home.write("rules", 'vip accept\nscore > 9 refuse 550 5.7.9 "{score} points, {ip}"\n')
    port = free_port()
    argv = ["tcpserver", "-HR", "-l", "mx.bench.test", "127.0.0.1", str(port), installation / "bin/qsmtpd"]
    points = ["1000.0"]

    def spamd(peer: socket.socket) -> None:
        read_spamc(peer)
        peer.sendall(b"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: True ; %b / 5.0\r\n\r\n" % points[0].encode())

    with (lying(tmp_path / "spamd", spamd) as server,
          listening(installation, home, "--workers", "2", QSMTPD_SERVICE=service_path) as (service, _)):
        more = {"QSMTPD_SERVICE": service_path, "QMAILQUEUE": str(installation / "bin/handoff-qqshim"), "SPAMD": server.unix}
        with running(argv, home.path / "tcpserver.log", lambda: listens(port), env=environment(home, **more)):
            refused = talk(port, DIALOGUE)
            points[0] = "8.0"
            taken = send(port)
        wait_until(lambda: scanned(service, 2), what="two lines of the service's")
        with running(argv, home.path / "tcpserver.log", lambda: listens(port), env=environment(home, **more, VIP="")):
            points[0] = "1000.0"
            for_friends = send(port)

    assert b"\r\n550 5.7.9 1000.0 points, 127.0.0.1\r\n" in refused
    assert (taken, for_friends) == (250, 250)
    assert len(home.messages()) == 2


DIALOGUE = (b"HELO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\n"
            b"Subject: x\r\n\r\ny\r\n.\r\nQUIT\r\n")


def test_the_listener_hands_messages_to_itself(installation: Path, home: QmailHome, service_path: str) -> None:
    """Its own sessions start handoff-qqshim, twenty at once, and each of these wants one more: nobody waits for himself."""
    home.queue_program('cat > "$d/message"; cat <&1 > "$d/envelope"; sleep 0.1; mv "$d" "${d%.part}"')
    more = {"QSMTPD_SERVICE": service_path, "QMAILQUEUE": str(installation / "bin/handoff-qqshim")}
    with listening(installation, home, "--workers", "1", **more) as (service, port), ThreadPoolExecutor(50) as clients:
        began = time.monotonic()
        answers = list(clients.map(lambda number: send(port, number), range(50)))
        assert time.monotonic() - began < 30
        wait_until(lambda: scanned(service, 50), what="fifty lines")

    assert answers == [250] * 50
    assert len(home.messages()) == 50


def test_the_service_of_messages_may_go_at_any_time(installation: Path, home: QmailHome, service_path: str) -> None:
    """Killed in the midst: the client is told 451, and comes again; nothing is lost; without it the cold qqshim scans."""
    home.queue_program('cat > "$d/message"; cat <&1 > "$d/envelope"; sleep 0.5; mv "$d" "${d%.part}"')
    port = free_port()
    argv = ["tcpserver", "-HR", "-l", "mx.bench.test", "127.0.0.1", str(port), installation / "bin/qsmtpd"]
    more = {"QSMTPD_SERVICE": service_path, "QMAILQUEUE": str(installation / "bin/handoff-qqshim")}
    with running(argv, home.path / "tcpserver.log", lambda: listens(port), env=environment(home, **more)):
        with (listening(installation, home, "--workers", "1", QSMTPD_SERVICE=service_path) as (service, _),
              ThreadPoolExecutor(1) as client):
            answer = client.submit(send, port)
            wait_until(lambda: any(home.queued.iterdir()), what="a queue program")
            os.kill(workers(service)[0], signal.SIGKILL)
            in_the_midst = answer.result()
        assert in_the_midst == 451
        assert send(port) == 250
        assert " cpu-ms=" in (home.path / "tcpserver.log").read_text()


def test_term_lets_a_message_in_the_service_come_to_its_end(
        installation: Path, home: QmailHome, service_path: str) -> None:
    home.queue_program('cat > "$d/message"; cat <&1 > "$d/envelope"; sleep 0.5; mv "$d" "${d%.part}"')
    port = free_port()
    argv = ["tcpserver", "-HR", "-l", "mx.bench.test", "127.0.0.1", str(port), installation / "bin/qsmtpd"]
    more = {"QSMTPD_SERVICE": service_path, "QMAILQUEUE": str(installation / "bin/handoff-qqshim")}
    with (running(argv, home.path / "tcpserver.log", lambda: listens(port), env=environment(home, **more)),
          listening(installation, home, "--workers", "1", QSMTPD_SERVICE=service_path) as (service, _),
          ThreadPoolExecutor(1) as client):
        answer = client.submit(send, port)
        wait_until(lambda: any(home.queued.iterdir()), what="a queue program")
        os.kill(service.pid, signal.SIGTERM)
        assert answer.result() == 250
        service.process.wait(15)

    assert service.process.returncode == 0
    assert len(home.messages()) == 1
