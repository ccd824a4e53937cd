"""The program on descriptors 0 and 1: every dialogue, deadlines, memory, descriptors; hostile clients over a real socket."""

import contextlib
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, QmailHome
from tests.play import pieces, prepare, run_program, without_received
from tests.transcript import Dialogue, codes, load


@pytest.fixture
def home(qmail_home: QmailHome) -> QmailHome:
    qmail_home.write("rcpthosts", "bench.test")
    return qmail_home


class Client:
    """One side of a socket whose other side is qsmtpd's descriptors 0 and 1."""

    def __init__(self, program: Path, home: QmailHome, **env: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        self.log = home.path / "log"
        with self.log.open("wb") as log:
            variables = {"QMAILHOME": str(home.path), "PATH": "/usr/bin:/bin", **env}
            self.process = subprocess.Popen([program], stdin=theirs, stdout=theirs, stderr=log, env=variables)
        theirs.close()

    def read_to_end(self) -> bytes:
        answer = b""
        while piece := self.socket.recv(65536):
            answer += piece
        return answer

    def memory(self) -> int:
        """The most that the process has had resident, in KiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().split("\n"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
        raise AssertionError("the process has ended")


@contextmanager
def talking(installation: Path, home: QmailHome, **env: str) -> Iterator[Client]:
    client = Client(installation / "bin/qsmtpd", home, **env)
    try:
        yield client
    finally:
        client.socket.close()
        client.process.wait(30)


@pytest.mark.parametrize("dialogue", load(), ids=repr)
def test_dialogue(dialogue: Dialogue, qmail_home: QmailHome, installation: Path) -> None:
    prepare(dialogue, qmail_home)

    answer, _, exit_code = run_program([installation / "bin/qsmtpd"], qmail_home, dialogue.env, b"".join(dialogue.sent))

    assert dialogue.ours == codes(answer)
    assert exit_code == (0 if dialogue.ours[-1] == 221 else 1)
    queued = [(without_received(message), envelope) for message, envelope in qmail_home.messages()]
    assert dialogue.queued == queued


@pytest.mark.parametrize("dialogue", [each for each in load() if each.queued or "(A" in each.title], ids=repr)
def test_dialogue_byte_by_byte_over_a_socket(dialogue: Dialogue, qmail_home: QmailHome, installation: Path) -> None:
    prepare(dialogue, qmail_home)
    env = {name: os.fsdecode(value) for name, value in dialogue.env.items()}
    with talking(installation, qmail_home, **env) as client:
        said = pieces(dialogue, "bytes")

        def talk() -> None:
            try:
                for byte in said[:400]:
                    client.socket.send(byte)
                client.socket.send(b"".join(said[400:]))
                client.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        talker = threading.Thread(target=talk)
        talker.start()
        answer = client.read_to_end()
        talker.join()

    assert dialogue.ours == codes(answer)
    assert dialogue.queued == [(without_received(message), envelope) for message, envelope in qmail_home.messages()]


def test_a_silent_client_is_given_up(installation: Path, home: QmailHome) -> None:
    """A34: connect, silence."""
    with talking(installation, home, TIMEOUTSMTPD="1") as client:
        answer = client.read_to_end()

    assert codes(answer) == [220, 451]
    assert client.process.wait() == 1
    assert b"verdict=timeout" in client.log.read_bytes()


@pytest.mark.parametrize("begun", [b"", b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\n"])
def test_a_byte_now_and_then_renews_nothing(begun: bytes, installation: Path, home: QmailHome) -> None:
    """A34: in a command, and in the message."""
    started = time.monotonic()
    with talking(installation, home, TIMEOUTSMTPD="1") as client:
        client.socket.sendall(begun)
        answer = b""
        client.socket.settimeout(0.2)
        while True:
            try:
                client.socket.send(b"x")
                piece = client.socket.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not piece:
                break
            answer += piece

    assert codes(answer)[-1] == 451
    assert time.monotonic() - started < 5
    assert home.messages() == []


def test_the_session_ends_some_time_however_busy(installation: Path, home: QmailHome) -> None:
    with talking(installation, home, SESSION_TIMEOUT="1") as client:
        answer = b""
        started = time.monotonic()
        while time.monotonic() - started < 10:
            try:
                client.socket.sendall(b"NOOP\r\n")
            except OSError:
                break
            answer += client.socket.recv(65536)
            time.sleep(0.05)
        answer += client.read_to_end()

    assert codes(answer)[-1] == 451
    assert time.monotonic() - started < 5


def test_a_client_that_never_reads(installation: Path, home: QmailHome) -> None:
    """A35: 100,000 recipients in one go, and nobody takes the answers."""
    started = time.monotonic()
    with talking(installation, home, TIMEOUTSMTPD="1", MAXRECIPIENTS="0") as client:
        flood = b"MAIL FROM:<a@b.test>\r\n" + b"RCPT TO:<x@bench.test>\r\n" * 100_000

        def talk() -> None:
            try:
                client.socket.sendall(flood)
            except OSError:
                pass

        talker = threading.Thread(target=talk)
        talker.start()
        time.sleep(0.5)
        memory = client.memory()
        client.process.wait(20)
        talker.join()

    assert time.monotonic() - started < 10
    assert memory < 20_000
    assert b"verdict=timeout" in client.log.read_bytes()


def test_a_refusal_is_read_by_a_client_that_still_sends(installation: Path, home: QmailHome) -> None:
    """A38: over TCP a close with unread input would be a reset, and eat the reply."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    with subprocess.Popen(
            [installation / "bin/qsmtpd"], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL,
            env={"QMAILHOME": str(home.path), "PATH": "/usr/bin:/bin"}):
        theirs.close()
        client.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 500_000)
        time.sleep(0.5)
        client.settimeout(10)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        client.close()

    assert codes(answer) == [220, 554]


@pytest.mark.parametrize("said", [
    b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nhalf a li", b"MAIL FROM:<>\r\nRC", b""])
def test_a_client_that_vanishes(said: bytes, installation: Path, home: QmailHome) -> None:
    """A36: a reset in the middle of anything: the process ends at once, nothing is queued, one line in the log says so."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    log = home.path / "log"
    with log.open("wb") as stderr, subprocess.Popen(
            [installation / "bin/qsmtpd"], stdin=theirs, stdout=theirs, stderr=stderr,
            env={"QMAILHOME": str(home.path), "PATH": "/usr/bin:/bin"}) as process:
        theirs.close()
        client.recv(1000)
        client.sendall(said)
        time.sleep(0.2)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

        assert process.wait(10) == 1

    assert home.messages() == []
    assert re.search(rb"^session .* verdict=(gone|eof) ", log.read_bytes(), re.MULTILINE)


def test_a_pipeline_that_ends_with_the_connection_is_answered(installation: Path, home: QmailHome) -> None:
    """A36: everything in one segment, then the end: a complete message is queued."""
    with talking(installation, home) as client:
        client.socket.sendall(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nx\r\n.\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.read_to_end()

    assert codes(answer) == [220, 250, 250, 354, 250]
    assert len(home.messages()) == 1


def test_a_large_message_in_little_memory(installation: Path, home: QmailHome) -> None:
    """A32: 60 MB without a line end in it, under INSTALL's softlimit; memory does not grow with the message."""
    size = 60_000_000
    home.queue_program('grep VmHWM /proc/$PPID/status > "$d/../memory.part"; wc -c > "$d/message"; cat <&1 > "$d/envelope"; '
                       'grep VmHWM /proc/$PPID/status >> "$d/../memory.part"; mv "$d" "${d%.part}"')
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\n" + b"x" * size + b"\r\n.\r\nQUIT\r\n"

    answer, _, _ = run_program(["softlimit", "-m", "40000000", installation / "bin/qsmtpd"], home, {}, said)

    assert codes(answer) == [220, 250, 250, 354, 250, 221]
    assert int(home.messages()[0][0]) > size
    before, after = [int(line.split()[1]) for line in (home.queued / "memory.part").read_text().split("\n") if line]
    assert after - before < 2_000


def test_a_header_field_without_end_and_very_many_fields(installation: Path, home: QmailHome) -> None:
    """A32: streamed; what counts the hops keeps nine bytes of a line."""
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\n" + b"Subject: " + b"y" * 20_000_000 + b"\r\n"
    said += b"X-A: b\r\n" * 100_000 + b"\r\n.\r\nQUIT\r\n"

    answer, _, _ = run_program(["softlimit", "-m", "40000000", installation / "bin/qsmtpd"], home, {}, said)

    assert codes(answer) == [220, 250, 250, 354, 250, 221]


def recipients(number: int) -> bytes:
    rcpts = b"".join(b"RCPT TO:<u%d@bench.test>\r\n" % i for i in range(number))
    return b"MAIL FROM:<a@b.test>\r\n" + rcpts + b"DATA\r\n.\r\nQUIT\r\n"


def test_recipients_past_the_limit(installation: Path, home: QmailHome) -> None:
    """A31: a hundred at least are taken, past the limit it is 452, and the message goes to the others."""
    answer, _, _ = run_program([installation / "bin/qsmtpd"], home, {}, recipients(1500))

    assert codes(answer) == [220, 250] + [250] * 1000 + [452] * 500 + [354, 250, 221]
    assert home.messages()[0][1].count(b"T") == 1000


def test_twenty_thousand_recipients(installation: Path, home: QmailHome) -> None:
    """A31: the time does not grow with the square of their number, and the queue gets them all."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    answer, _, _ = run_program([installation / "bin/qsmtpd"], home, {"MAXRECIPIENTS": b"0"}, recipients(20_000))

    assert codes(answer)[-3:] == [354, 250, 221]
    assert home.messages()[0][1].count(b"T") == 20_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used < 5


def test_a_million_small_commands(installation: Path, home: QmailHome) -> None:
    """A39: no history, and an end."""
    answer, _, _ = run_program([installation / "bin/qsmtpd"], home, {}, b"RSET\r\n" * 1_000_000)

    found = codes(answer)
    assert found[-1] == 421
    assert len(found) == 1002


def test_no_descriptors_left(installation: Path, home: QmailHome) -> None:
    """A138: the queue program cannot be started; the session goes on."""
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nNOOP\r\nQUIT\r\n"

    few = "".join(f"exec {fd}</dev/null; " for fd in range(3, 10)) + 'exec softlimit -o 12 "$0"'

    answer, log, _ = run_program(["sh", "-c", few, installation / "bin/qsmtpd"], home, {}, said)

    assert codes(answer) == [220, 250, 250, 451, 250, 221]
    assert b"fault" in log
    assert b"Too many open files" in log


def test_a_log_that_nobody_reads_stops_no_mail(installation: Path, home: QmailHome) -> None:
    """A137: multilog that waits for room on its disk."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, bytes(4096))
    os.set_blocking(write_end, True)
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"

    done = subprocess.run(
        [installation / "bin/qsmtpd"], input=said, stdout=subprocess.PIPE, stderr=write_end, timeout=20, check=False,
        env={"QMAILHOME": str(home.path), "PATH": "/usr/bin:/bin"})
    os.close(read_end)
    os.close(write_end)

    assert codes(done.stdout) == [220, 250, 250, 354, 250, 221]
    assert len(home.messages()) == 1


def test_a_queue_program_that_hangs_keeps_no_slot(installation: Path, home: QmailHome) -> None:
    """The client goes, or says nothing, in the middle of a message: he is answered at once, and the program does not stay."""
    home.queue_program("exec sleep 60")
    started = time.monotonic()
    with talking(installation, home, TIMEOUTSMTPD="1") as client:
        client.socket.sendall(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nx")
        answer = client.read_to_end()
        answered = time.monotonic() - started

    assert codes(answer) == [220, 250, 250, 354, 451]
    assert answered < 6
    assert time.monotonic() - started < 15


def test_a_session_without_limit(installation: Path, home: QmailHome) -> None:
    answer, _, exit_code = run_program(
        [installation / "bin/qsmtpd"], home, {"SESSION_TIMEOUT": b"0", "TIMEOUTSMTPD": b"99999999999"}, b"QUIT\r\n")

    assert (codes(answer), exit_code) == ([220, 221], 0)


@pytest.mark.parametrize("closing", ["2>&-", "2>/dev/full"])
def test_a_log_that_cannot_be_written_stops_no_mail(closing: str, installation: Path, home: QmailHome) -> None:
    """A137: and what would have been descriptor 2 is not the next file that is opened."""
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"

    answer, _, exit_code = run_program(["sh", "-c", f'exec "$0" {closing}', installation / "bin/qsmtpd"], home, {}, said)

    assert (codes(answer), exit_code) == ([220, 250, 250, 354, 250, 221], 0)
    assert without_received(home.messages()[0][0]) == b"x\n"


def test_a_hostile_environment_and_directory(installation: Path, home: QmailHome, tmp_path: Path) -> None:
    """A55: PYTHONPATH, PYTHONSTARTUP, a module in the working directory."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("os", "posix", "select", "cdbx", "qsmtpd", "sitecustomize"):
        (trap / f"{name}.py").write_text("import sys; sys.exit('trapped')\n")
    env = {name: bytes(trap) for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")}
    env["PYTHONSTARTUP"] = env["PYTHONINSPECT"] = bytes(trap / "os.py")

    answer, log, _ = run_program(
        ["sh", "-c", f'cd {trap} && exec "$0"', installation / "bin/qsmtpd"], home, env, b"QUIT\r\n")

    assert codes(answer) == [220, 221]
    assert b"trapped" not in log


def test_the_program_is_found_by_a_symbolic_link(installation: Path, home: QmailHome, tmp_path: Path) -> None:
    """Both as make install leaves it, and as pip alone does, where sh looks for the interpreter."""
    shutil.copy(ROOT / "qsmtpd/launch/qsmtpd", installation / "bin/qsmtpd.sh")
    for name in ("qsmtpd", "qsmtpd.sh"):
        (tmp_path / name).symlink_to(installation / "bin" / name)

        answer, _, _ = run_program([tmp_path / name], home, {}, b"QUIT\r\n")

        assert codes(answer) == [220, 221]
