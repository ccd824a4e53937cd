"""Queue runs with real programs: what is queued, what is refused, and what a program may do to us."""

import gc
import os
import posix
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from qsmtpd.qmail import queue
from qsmtpd.qmail.outcome import Outcome
from qsmtpd.qmail.queue import QueueRun
from tests.servers import wait_until

ROOT = Path(__file__).parents[3]

Script = Callable[[str], str]
Reply = tuple[int, str, tuple[str, ...]]

SENDER = b"a@example.org"
RECIPIENTS = [b"b@example.com", b"c@example.com"]
ENVELOPE = b"Fa@example.org\0Tb@example.com\0Tc@example.com\0\0"

QUEUED = (0, "2.0.0", ())
READ_ERROR = (451, "4.3.0", ("qq read error",))
CRASHED = (451, "4.3.0", ("qq crashed",))
NOTHING = (451, "4.3.0", ("qq temporary problem",))

READ_ALL = "cat >/dev/null; cat <&1 >/dev/null"


def shown(outcome: Outcome) -> Reply:
    return outcome.code, outcome.status, outcome.lines


def run(program: str, message: bytes = b"Subject: x\n\ny\n", recipients: list[bytes] = RECIPIENTS) -> Reply:
    started = QueueRun(program)
    started.write(message)
    return shown(started.finish(SENDER, recipients))


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def descriptors() -> set[str]:
    gc.collect()  # what other tests have left open is closed now, not in the midst of one
    return set(os.listdir("/proc/self/fd"))


def test_queued(script: Script, tmp_path: Path) -> None:
    """The program has the message on 0 and the envelope on 1, and its process id is ours to log."""
    place = tmp_path / "queued"
    started = QueueRun(script(f"cat >{place}.message; cat <&1 >{place}.envelope; echo $$ >{place}.pid"))
    started.write(b"Subject: x\n\n")
    started.write(b"")
    started.write(b"body\0\xff\r\n")
    outcome = started.finish(SENDER, RECIPIENTS)

    assert shown(outcome) == QUEUED
    assert Path(f"{place}.message").read_bytes() == b"Subject: x\n\nbody\0\xff\r\n"
    assert Path(f"{place}.envelope").read_bytes() == ENVELOPE
    assert int(Path(f"{place}.pid").read_text()) == started.pid


@pytest.mark.parametrize(("code", "reply"), [
    (1, NOTHING),
    (11, (554, "5.1.3", ("envelope address too long for qq",))),
    (31, (554, "5.3.0", ("mail server permanently rejected message",))),
    (53, (451, "4.3.0", ("qq write error or disk full",))),
    (71, (451, "4.3.0", ("mail server temporarily rejected message",))),
    (82, NOTHING),
    (120, (451, "4.3.0", ("unable to exec qq",))),
    (127, NOTHING),
    (255, NOTHING),
])
def test_exit_codes(script: Script, code: int, reply: Reply) -> None:
    """A140."""
    assert run(script(f"{READ_ALL}; exit {code}")) == reply


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "PIPE"])
def test_killed_by_a_signal(script: Script, name: str) -> None:
    """A140: a crash was once taken as permanent."""
    assert run(script(f"{READ_ALL}; kill -{name} $$; sleep 10")) == CRASHED


@pytest.mark.parametrize("what", ["missing", "not executable", "directory", "no interpreter"])
def test_no_program(tmp_path: Path, what: str) -> None:
    """A138, A140: an OSError at the start, and nothing left open."""
    program = tmp_path / "program"
    if what == "directory":
        program.mkdir()
    elif what != "missing":
        program.write_text("#!/nowhere/at/all\n")
        program.chmod(0o755 if what == "no interpreter" else 0o644)
    before = descriptors()

    with pytest.raises(OSError, match=str(program)):
        QueueRun(str(program))
    assert descriptors() == before


@pytest.mark.parametrize("function", ["pipe", "posix_spawn", "pidfd_open"])
def test_no_room_to_start(script: Script, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """A138: EMFILE, EAGAIN at any step: an OSError, no descriptor and no process left."""
    calls: list[int] = []

    def second_time_fails() -> tuple[int, int]:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(24, "Too many open files")
        return real_pipe()

    def fail(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    real_pipe = os.pipe
    monkeypatch.setattr(posix, function, second_time_fails if function == "pipe" else fail)
    before = descriptors()

    with pytest.raises(OSError, match="Too many open files"):
        QueueRun(script("exec sleep 60"))
    assert descriptors() == before
    assert not children()


def children() -> list[str]:
    """The process ids of our children, zombies too, but for the scanners that run while all tests do."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in found if Path(f"/proc/{pid}/comm").read_text().strip() not in ("clamd", "spamd")]


def test_program_that_exits_before_reading(script: Script) -> None:
    assert run(script("exit 31"), b"x" * 1_000_000) == (554, "5.3.0", ("mail server permanently rejected message",))


@pytest.mark.parametrize("body", [
    "exec 0<&-; cat <&1 >/dev/null; exit 0",
    "head -c 10 >/dev/null; exec 0<&-; cat <&1 >/dev/null; exit 0",
    "exit 0",
])
def test_exit_0_of_a_program_that_did_not_take_the_message(script: Script, body: str) -> None:
    """As qmail.c: what was not written whole is not queued, whatever the program says."""
    assert run(script(body), b"x" * 1_000_000) == READ_ERROR


def test_exit_0_of_a_program_that_did_not_take_the_envelope(script: Script) -> None:
    assert run(script("cat >/dev/null; exec 1>&-; exit 0"), recipients=[b"x" * 900] * 2000) == READ_ERROR


def test_program_that_closes_the_message_is_told_nothing(script: Script, tmp_path: Path) -> None:
    """Once a piece of the message is lost the envelope is withheld, and the program cannot queue the rest."""
    started = QueueRun(script(f"exec 0<&-; echo >{tmp_path}/closed; cat <&1 >{tmp_path}/envelope; exit 54"))
    wait_until((tmp_path / "closed").exists)
    started.write(b"x")
    started.write(b"y")

    assert shown(started.finish(SENDER, RECIPIENTS)) == READ_ERROR
    assert (tmp_path / "envelope").read_bytes() == b""


def test_envelope_larger_than_a_pipe(script: Script, tmp_path: Path) -> None:
    recipients = [b"user%d@example.org" % number for number in range(20_000)]

    assert run(script(f"cat >/dev/null; cat <&1 >{tmp_path}/envelope"), recipients=recipients) == QUEUED
    assert (tmp_path / "envelope").read_bytes() == b"F%b\0%b\0" % (SENDER, b"".join(b"T%b\0" % each for each in recipients))


@pytest.mark.parametrize(("recipient", "reply"), [
    (b"b@example.com\0Tx@elsewhere.test", (451, "4.3.0", ("qq internal bug",))),
    (b"x" * 1003, (554, "5.1.3", ("envelope address too long for qq",))),
])
def test_addresses_that_cannot_be_queued(script: Script, tmp_path: Path, recipient: bytes, reply: Reply) -> None:
    """A50, A52: nothing is queued, not even for the others."""
    program = script(f"cat >/dev/null; cat <&1 >{tmp_path}/envelope")

    assert run(program, recipients=[b"b@example.com", recipient]) == reply
    assert (tmp_path / "envelope").read_bytes() == b""
    assert not children()


def test_abort(script: Script, tmp_path: Path) -> None:
    """A10: the program sees the end of the envelope before it began."""
    before = descriptors()
    started = QueueRun(script(f"cat >{tmp_path}/message; cat <&1 >{tmp_path}/envelope"))
    started.write(b"half a mess")
    started.abort()

    assert (tmp_path / "message").read_bytes() == b"half a mess"
    assert (tmp_path / "envelope").read_bytes() == b""
    assert ended(started.pid)
    assert descriptors() == before


@pytest.mark.parametrize(("words", "reply"), [
    (r"Dno such thing", (554, "5.3.0", ("no such thing",))),
    (r"Zvirus scanner is down (#4.7.1)\n", (451, "4.7.1", ("virus scanner is down",))),
    (r"550 5.7.1 one\n550 5.7.1 two\n", (550, "5.7.1", ("one", "two"))),
    (r"Da\033[2J\377b", (554, "5.3.0", ("a?[2J?b",))),
    (r"garbage", NOTHING),
    (r"", NOTHING),
])
def test_words_on_descriptor_6(script: Script, words: str, reply: Reply) -> None:
    """A44."""
    assert run(script(f"{READ_ALL}; printf '{words}' >&6; exit 82")) == reply


def test_words_before_the_message_is_read(script: Script) -> None:
    assert run(script(f"printf 'D5.7.1 no' >&6; {READ_ALL}; exit 82"))[:2] == (554, "5.3.0")


def test_many_words_before_the_message_is_read(script: Script) -> None:
    """Two full pipes, each side waiting for the other, would stand for a day."""
    started = time.monotonic()
    reply = run(script(f"yes '550 5.7.1 no' | head -c 1000000 >&6; {READ_ALL}; exit 82"), b"x" * 1_000_000)

    assert reply[:2] == (550, "5.7.1")
    assert time.monotonic() - started < 10


def test_program_that_closes_the_channel_before_it_reads(script: Script) -> None:
    """While we wait for room in its pipe, slowly, the closed channel does not keep the processor busy."""
    before = time.process_time()

    assert run(script(f"exec 6>&-; sleep 0.5; {READ_ALL}"), b"x" * 1_000_000) == QUEUED
    assert time.process_time() - before < 0.25


def test_words_just_before_the_end(script: Script) -> None:
    """However the last write and the end fall together."""
    program = script("echo 'Dlast words' >&6; exit 82")
    for _ in range(30):
        assert run(program) == (554, "5.3.0", ("last words",))


def test_words_without_82_do_not_count(script: Script) -> None:
    assert run(script(f"{READ_ALL}; echo Dno >&6; exit 0")) == QUEUED


def test_too_many_words(script: Script) -> None:
    """A megabyte neither blocks the program nor fills our memory: 4096 bytes are kept."""
    tracemalloc.start()
    one_line = run(script(f"{READ_ALL}; head -c 1000000 /dev/zero | tr '\\0' D >&6; exit 82"))
    many_lines = run(script(f"{READ_ALL}; yes '550 5.7.1 no' | head -c 1000000 >&6; exit 82"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 200_000
    assert one_line == (554, "5.3.0", ("D" * (480 - 1),))
    assert many_lines == (550, "5.7.1", ("no",) * 315)


def test_program_that_closes_the_channel_and_works_on(script: Script, tmp_path: Path) -> None:
    started = time.monotonic()
    reply = run(script(f"exec 6>&-; {READ_ALL}; sleep 0.3; echo >{tmp_path}/done; exit 53"))

    assert reply == (451, "4.3.0", ("qq write error or disk full",))
    assert (tmp_path / "done").exists()
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("chatty", [False, True])
def test_a_daemon_left_behind(script: Script, tmp_path: Path, chatty: bool) -> None:
    """A143: it holds 0, 1 and 6 open for ever, and may write there; the session goes on when the program has ended."""
    work = "exec cat /dev/zero >&6" if chatty else "exec sleep 60"
    program = script(f"{READ_ALL}; ({work}) <&0 & echo $! >{tmp_path}/pid; exit 0")
    started = time.monotonic()
    reply = run(program)
    took = time.monotonic() - started
    daemon = int((tmp_path / "pid").read_text())
    if not chatty:  # the other one ended when we closed the channel
        os.kill(daemon, signal.SIGKILL)

    assert reply == QUEUED
    assert took < 10


def test_a_daemon_that_holds_the_message_pipe(script: Script, tmp_path: Path) -> None:
    """A143: nobody reads it any more, and it is full: the write ends with the program."""
    program = script(f"sleep 60 <&0 & echo $! >{tmp_path}/pid; exit 71")
    started = time.monotonic()
    reply = run(program, b"x" * 1_000_000)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    assert reply == (451, "4.3.0", ("mail server temporarily rejected message",))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("size", [1, 1_000_000])
@pytest.mark.parametrize("body", [
    "exec sleep 60",
    "exec 6>&-; exec sleep 60",
    "exec cat /dev/zero >&6",
    "trap '' TERM INT HUP; while :; do read line || sleep 1; done",
])
def test_a_program_that_never_ends(script: Script, monkeypatch: pytest.MonkeyPatch, body: str, size: int) -> None:
    """Every wait has an end, also that for a program that does not read, talks for ever or has closed its channel."""
    monkeypatch.setattr(queue, "LIFETIME", 0.5)
    before = descriptors()
    started = time.monotonic()
    run_ = QueueRun(script(body))
    run_.write(b"x" * size)

    assert shown(run_.finish(SENDER, RECIPIENTS)) == CRASHED
    assert 0.4 < time.monotonic() - started < 10
    assert ended(run_.pid)
    assert descriptors() == before


def test_exit_code_lost(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """As qmail.c; who ignores SIGCHLD sees this every time, see process.prepare()."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run(script(READ_ALL)) == (451, "4.3.0", ("qq waitpid surprise",))
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def test_environment(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QQREPLY says where the words go; with QMAILQUEUE a queue program that starts a mailer would start itself."""
    monkeypatch.setenv("QMAILQUEUE", "bin/qqshim")
    monkeypatch.setenv("QQREPLY", "77")
    monkeypatch.setenv("TCPREMOTEHOST", "odd\udcff\nname")

    assert run(script(f"{READ_ALL}; cat /proc/self/environ >{tmp_path}/environ")) == QUEUED
    variables = (tmp_path / "environ").read_bytes().split(b"\0")
    assert b"QQREPLY=6" in variables
    assert b"TCPREMOTEHOST=odd\xff\nname" in variables
    assert not [each for each in variables if each.startswith(b"QMAILQUEUE=")]
    assert os.environ["QMAILQUEUE"] == "bin/qqshim"


LOOK_AROUND = """#!{python} -IS
import os
os.read(0, 100)
report = []
for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{{name}}")
    except OSError:
        continue
    if not target.endswith("/fd"):
        report.append(name)
with open("{report}", "w") as file:
    file.write(" ".join(sorted(report)))
"""


def test_descriptors_of_the_program(script: Script, tmp_path: Path) -> None:
    """A143: it has 0, 1, 2 and 6, nothing else of ours.

    The caller is a fresh process that has files open and other runs going on, as the listener has.
    """
    report = tmp_path / "report"
    program = script(LOOK_AROUND.format(python=Path(sys.executable).resolve(), report=report))
    other = script("exec sleep 5")
    caller = f"""
import os, sys
sys.path.append({str(ROOT)!r})
from qsmtpd.qmail import process
from qsmtpd.qmail.queue import QueueRun
process.prepare()
opened = [open("/etc/passwd") for _ in range(5)]
other = QueueRun({other!r})
run = QueueRun({program!r})
run.write(b"x")
assert run.finish(b"", [b"a@b"]).code == 0
os.kill(other.pid, 9)
other.abort()
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", caller], check=True, env={"PATH": "/usr/bin:/bin"})

    assert report.read_text() == "0 1 2 6"


def test_signals_of_the_program(script: Script, tmp_path: Path) -> None:
    """A55: a broken pipe kills it, as any program; Python itself ignores that."""
    assert run(script(f"{READ_ALL}; grep SigIgn /proc/self/status >{tmp_path}/status")) == QUEUED

    ignored = int((tmp_path / "status").read_text().split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1) | 1 << (signal.SIGCHLD - 1))


def test_a_large_message_in_flat_memory(script: Script) -> None:
    """50 MB go through a process that grows by less than 2 MB."""
    caller = f"""
import os, sys
sys.path.append({str(ROOT)!r})
from qsmtpd.qmail.queue import QueueRun
def peak():
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
run = QueueRun({script(f"test $(wc -c) = 52428800 || exit 53; {READ_ALL}")!r})
piece = b"x" * 65536
run.write(piece)
before = peak()
for _ in range(799):
    run.write(piece)
print(run.finish(b"", [b"a@b"]).code, peak() - before)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", caller], check=True, capture_output=True, text=True)
    code, grown = done.stdout.split()

    assert code == "0"
    assert int(grown) < 2048


def test_nothing_is_left_over(script: Script) -> None:
    """A138: 100 runs of every kind leave neither a descriptor nor a zombie."""
    programs = [script(READ_ALL), script("exit 31"), script(f"{READ_ALL}; echo Dno >&6; exit 82"), script("kill -9 $$")]
    before = descriptors()
    for number in range(100):
        started = QueueRun(programs[number % 4])
        started.write(b"x" * (number % 3) * 70_000)
        if number % 5:
            started.finish(SENDER, RECIPIENTS if number % 7 else [b"a\0b"])
        else:
            started.abort()

    assert descriptors() == before
    assert not children()
