"""Handing on: what the next program finds, and that a kill at any moment loses nothing and queues nothing by half."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.qqshim.callers import ENVELOPE, MESSAGE, NOTQMAIL, PLAIN, Shim
from tests.servers import wait_until

LARGE = MESSAGE + b"A line of the body.\n" * 40_000
RECORD = 'cat > "$d/message"; cat <&1 > "$d/envelope"'
DONE = 'mv "$d" "${d%.part}"'


def test_what_the_next_program_finds(
        cold: Shim, qmail_home: QmailHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A143: its three descriptors and the caller's channel, default signals, no QMAILQUEUE, the same directory and process."""
    program = qmail_home.queue_program(
        f'ls /proc/self/fd > "$d/fds"; grep SigIgn /proc/self/status > "$d/signals"; env > "$d/env"; pwd > "$d/pwd"; '
        f'ps -o args= -p $$ > "$d/args"; {RECORD}; echo -n said >&6; {DONE}')
    cold.environment["PATH"] = "/usr/bin:/bin"
    monkeypatch.chdir(tmp_path)
    pids: list[int] = []
    called = cold(LARGE, family=NOTQMAIL, during=pids.append)
    place = qmail_home.queued / str(pids[0])

    assert called.reply == (250, "ok")
    assert called.words == b"said", "the caller's channel is the next program's to use"
    fds = (place / "fds").read_text()
    assert int((place / "signals").read_text().split()[1], 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0
    assert "QMAILQUEUE=" not in (place / "env").read_text()
    assert (place / "pwd").read_text().strip() == str(tmp_path)
    assert (place / "args").read_text().split()[1:] == [str(program)]
    cold.argv = [str(program)]
    cold(LARGE, family=NOTQMAIL, during=pids.append)
    assert (qmail_home.queued / str(pids[1]) / "fds").read_text() == fds, "the same as when the caller starts it itself"


def test_no_process_is_started(cold: Shim, tmp_path: Path) -> None:
    """A143: nobody is left behind who could keep the caller's channel open."""
    trace = "trace=fork,vfork,clone,clone3,execve"
    cold.argv = ["/usr/bin/strace", "-f", "-o", str(tmp_path / "calls"), "-e", trace, *cold.argv]
    assert cold(LARGE, family=NOTQMAIL, qqnext="/bin/true").reply == (250, "ok")
    calls = [line.split()[1].partition("(")[0] for line in (tmp_path / "calls").read_text().split("\n") if "(" in line]

    assert set(calls) == {"execve"}


def test_what_it_may_not_do(shim: Shim, qmail_home: QmailHome) -> None:
    """Print into the envelope: descriptor 1 is for reading, as a pipe from the caller would be."""
    qmail_home.queue_program(f"echo oops >&1 2>/dev/null; {RECORD}; {DONE}")

    assert shim().reply == (250, "ok")
    assert qmail_home.messages()[0][1] == ENVELOPE


@pytest.mark.parametrize(("body", "reply"), [
    ("exit 31", (554, "mail server permanently rejected message")), ("exit 53", (451, "qq write error or disk full")),
    ("kill -9 $$", (451, "qq crashed")), ("echo -n 'Dno such place (#5.1.1)' >&6; exit 82", (554, "no such place (#5.1.1)"))])
def test_its_answer_is_ours(shim: Shim, qmail_home: QmailHome, body: str, reply: tuple[int, str]) -> None:
    qmail_home.queue_program(body)

    assert shim(family=NOTQMAIL).reply == reply


@pytest.mark.parametrize("message", [MESSAGE, LARGE])
def test_an_envelope_larger_than_a_pipe(shim: Shim, qmail_home: QmailHome, message: bytes) -> None:
    """A52: the next program reads the message first, and nobody is left who could write the envelope."""
    envelope = b"Fa@b\0" + b"".join(b"Tuser%d@bench.test\0" % i for i in range(50_000)) + b"\0"

    assert shim(message, envelope).reply == (250, "ok")
    ((queued, given),) = qmail_home.messages()
    assert given == envelope
    assert queued.endswith(message)


def killed_after(shim: Shim, message: bytes, seconds: float, **settings: str) -> tuple[int, str]:
    def kill(pid: int) -> None:
        time.sleep(seconds)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    return shim(message, family=PLAIN, during=kill, **settings).reply


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["memory", "disk"])
def test_killed_at_any_time(shim: Shim, qmail_home: QmailHome, tmp_path: Path, message: bytes) -> None:
    """A139, A89: 250 means that the next program has it whole; anything else is temporary; no file is left behind."""
    spool = tmp_path / "spool"
    spool.mkdir()
    replies = [killed_after(shim, message, 0.001 * step, qqtmp=str(spool)) for step in range(0, 60, 2)]
    queued = qmail_home.messages()

    assert {code for code, _ in replies} <= {250, 451}
    assert sum(code == 250 for code, _ in replies) <= len(queued)
    assert all(whole.endswith(message) and envelope == ENVELOPE for whole, envelope in queued)
    assert list(spool.iterdir()) == []
    assert replies[0][0] == 451


CALLS = ("memfd_create", "read", "write", "sendfile", "dup2", "lseek", "execve")


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_every_system_call(cold: Shim, qmail_home: QmailHome, tmp_path: Path, call: str) -> None:
    """A139: the first of each kind, the ones in the middle, and the last, which hand on."""
    spool = tmp_path / "spool"
    spool.mkdir()
    program = cold.argv
    total = count(cold, program, call, tmp_path)
    for number in {1, 2, total // 2, total - 2, total - 1, total} & set(range(1, total + 1)):
        cold.argv = ["/usr/bin/strace", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={number}", *program]
        before = len(qmail_home.messages())
        code, _ = cold(LARGE, qqtmp=str(spool)).reply
        assert code == 451 or (code == 250 and len(qmail_home.messages()) == before + 1), f"{call} number {number}"
    assert all(whole.endswith(LARGE) and envelope == ENVELOPE for whole, envelope in qmail_home.messages())
    assert list(spool.iterdir()) == []


def count(cold: Shim, program: list[str], call: str, tmp_path: Path) -> int:
    """How often the program makes the system call, up to and with the exec of the next program."""
    cold.argv = ["/usr/bin/strace", "-o", str(tmp_path / "calls"), "-e", f"trace={call},execve", *program]
    assert cold(LARGE).reply[0] == 250
    lines = (tmp_path / "calls").read_text().split("\n")
    last = next(i for i, line in enumerate(lines) if line.startswith("execve(") and "bin/qmail-queue" in line)
    return sum(line.startswith(f"{call}(") for line in lines[:last + 1])


@pytest.mark.parametrize(("call", "error", "code"), [
    ("sendfile", "ENOSPC", 53), ("sendfile", "EIO", 53), ("sendfile", "EDQUOT", 53), ("memfd_create", "ENOMEM", 0),
    ("dup2", "EMFILE", 81), ("sendfile", "ENOMEM", 51)])
def test_system_calls_that_fail(cold: Shim, qmail_home: QmailHome, call: str, error: str, code: int) -> None:
    """A137, A138: temporary, or another way is found."""
    when = "1+" if call != "dup2" else "1"
    cold.argv = ["/usr/bin/strace", "-o", "/dev/null", "-e", f"inject={call}:error={error}:when={when}", *cold.argv]
    called = cold(LARGE)

    assert called.exit_code == code
    assert len(qmail_home.messages()) == (1 if code == 0 else 0)


def test_next_program_killed_at_any_time(shim: Shim, qmail_home: QmailHome) -> None:
    """A139: it is the same process; what it has not finished is not queued."""
    qmail_home.queue_program(f"touch {qmail_home.path}/begun; {RECORD}; sleep 0.02; {DONE}")
    begun = qmail_home.path / "begun"
    for step in range(8):
        begun.unlink(missing_ok=True)

        def kill(pid: int, delay: float = 0.005 * step) -> None:
            wait_until(begun.exists)
            time.sleep(delay)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        before = len(qmail_home.messages())
        code, _ = shim(LARGE, during=kill).reply
        if code == 250:
            assert len(qmail_home.messages()) > before, "what a killed one had begun may have come to its end meanwhile"
        else:
            assert code == 451


def test_a_caller_that_dies(shim: Shim, qmail_home: QmailHome) -> None:
    """Its pipes end before the final NUL: nothing is queued, and the program ends."""
    caller = subprocess.run(
        ["/bin/sh", "-c", f'{{ printf "Subject: x\\n\\n"; kill -9 $$; }} | {shim.argv[0]} 1</dev/null'],
        env=shim.environment, check=False, capture_output=True, timeout=20)

    assert caller.returncode == -signal.SIGKILL
    time.sleep(0.3)
    assert list(qmail_home.queued.iterdir()) == []
