"""Sender callouts from end to end: the real program, a real name server, and an MX that takes its time."""

import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.nameservers import nsd, open_directory
from tests.upstreams import polite, upstream

pytestmark = pytest.mark.root  # an MX listens on port 25

ROOT = Path(__file__).parent.parent
MX = "127.0.0.77"
RULES = """\
sender-bad             refuse 550 5.1.8 "{reason}"
unknown(sender-ok)     defer 450 4.7.1 "sender not verified yet, try again"
"""


@pytest.fixture
def environment(qmail_home: QmailHome) -> Iterator[dict[str, str]]:
    """Of a site that verifies senders of far.test, as the program sees it."""
    for name, text in {"rcpthosts": "bench.test", "rules": RULES, "calloutdomains": "far.test", "callouttimeout": "1",
                       "calloutallow": MX}.items():
        qmail_home.write(name, text)
    with open_directory() as place, nsd(place, {"far.test": f"@ MX 10 mx\nmx A {MX}\n"}) as port:
        yield {
            "PATH": "/usr/bin:/bin", "QMAILHOME": str(qmail_home.path), "DNSCACHEIP": f"127.0.0.1:{port}", "PROTO": "TCP",
            "TCPREMOTEIP": "192.0.2.1"}


class Session:
    """The program on a socket, as tcpserver starts it."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20)
        self._file = self.socket.makefile("rb")
        code = (f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({sysconfig.get_path('platlib')!r})\n"
                "from qsmtpd.main import main\nmain()")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", code], stdin=theirs, stdout=theirs, stderr=output, env=environment)
        theirs.close()

    def answer(self) -> bytes:
        while (line := self._file.readline())[3:4] == b"-":
            pass
        return line.rstrip()

    def say(self, *commands: bytes) -> list[bytes]:
        """The answers to some commands, one after the other."""
        answers = []
        for command in commands:
            self.socket.sendall(command + b"\r\n")
            answers.append(self.answer())
        return answers

    def rcpt(self, sender: bytes) -> bytes:
        """The answer to RCPT after the beginning of a session."""
        self.answer()
        return self.say(b"EHLO client.test", b"MAIL FROM:<%b>" % sender, b"RCPT TO:<x@bench.test>")[-1]


def ask(environment: dict[str, str], log: Path, sender: bytes = b"joe@far.test") -> bytes:
    """The answer of a whole session."""
    session = Session(environment, log)
    answer = session.rcpt(sender)
    session.say(b"QUIT")
    session.socket.close()
    session.process.wait(40)
    return answer


@pytest.mark.parametrize(("answer", "retry"), [(b"250 ok", b"250 "), (b"550 5.1.1 no such user", b"550 5.1.8 far.test says")])
def test_a_slow_server_answers_the_next_attempt(
        environment: dict[str, str], tmp_path: Path, answer: bytes, retry: bytes) -> None:
    """Not yet is 450; the question outlives the client; the retry has the answer from the store, and nobody is asked again."""
    log = tmp_path / "log"
    with upstream(polite({b"RCPT": answer}, slow=3), MX, 25) as server:
        begin = time.monotonic()
        session = Session(environment, log)
        assert session.rcpt(b"joe@far.test") == b"450 4.7.1 sender not verified yet, try again"
        assert session.say(b"QUIT")[0].startswith(b"221 ")
        session.socket.close()
        assert time.monotonic() - begin < 3, "the client did not wait for the server"
        assert session.process.wait(40) == 0
        assert server.heard[-1] == b"QUIT", "the question was asked to its end"
        assert ask(environment, log).startswith(retry)
        assert server.visits == 1


def test_the_client_is_let_go_before_the_question_is_over(environment: dict[str, str], tmp_path: Path) -> None:
    """After QUIT the connection is closed at once: tcpserver's slot is busy, the client is not."""
    with upstream(polite(slow=6), MX, 25):
        session = Session(environment, tmp_path / "log")
        session.rcpt(b"joe@far.test")
        session.say(b"QUIT")
        begin = time.monotonic()
        assert session.socket.recv(1) == b""
        assert time.monotonic() - begin < 2
        session.socket.close()
        assert session.process.poll() is None
        session.process.wait(40)


def test_a_client_that_goes_away_takes_nothing_with_it(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with upstream(polite(slow=3), MX, 25) as server:
        session = Session(environment, log)
        session.rcpt(b"joe@far.test")
        session.socket.shutdown(socket.SHUT_RDWR)
        session.socket.close()
        session.process.wait(40)
        assert ask(environment, log).startswith(b"250 ")
        assert server.visits == 1


def test_other_senders_do_not_wait(environment: dict[str, str], tmp_path: Path) -> None:
    """A101: the rule asks for all, the list of domains says about whom; for the others sender-ok is false, not unknown."""
    with upstream(polite(), MX, 25) as server:
        assert ask(environment, tmp_path / "log", b"joe@other.test").startswith(b"250 ")
        assert ask(environment, tmp_path / "log", b"").startswith(b"250 ")
        assert server.visits == 0


def test_our_own_network_is_not_asked(environment: dict[str, str], tmp_path: Path, qmail_home: QmailHome) -> None:
    """A101, A164: without calloutallow the same MX is out of reach."""
    (qmail_home.control / "calloutallow").unlink()
    log = tmp_path / "log"
    with upstream(polite(), MX, 25) as server:
        assert ask(environment, log).startswith(b"450 ")
        assert server.visits == 0
    assert b"no server with an address out in the world" in log.read_bytes()
