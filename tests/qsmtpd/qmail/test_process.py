"""Processes: what is closed when we start, what is inherited by what we start."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qsmtpd.qmail import process

ROOT = Path(__file__).parents[3]

Script = Callable[[str], str]


def python(code: str, **options: object) -> str:
    """The output of a fresh interpreter, started as the launchers start it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import os, sys; sys.path.append({str(ROOT)!r})\n{code}"],
        capture_output=True, text=True, check=True, **options)  # type: ignore[call-overload]
    return str(done.stdout)


def ignored(status: str) -> set[int]:
    """The signals that /proc/PID/status says are ignored."""
    mask = int(next(line.split()[1] for line in status.split("\n") if line.startswith("SigIgn")), 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_closed_standard_descriptors(closed: tuple[int, ...], tmp_path: Path) -> None:
    """A55: the next file that is opened must not become our log or the reply channel."""
    report = tmp_path / "report"
    python(f"""
from qsmtpd.qmail.process import open_standard_descriptors
for fd in {closed}:
    os.close(fd)
open_standard_descriptors()
fd = os.open({str(report)!r}, os.O_WRONLY | os.O_CREAT)
shown = [os.readlink(f"/proc/self/fd/{{n}}") + str(os.get_inheritable(n)) for n in {closed}]
os.write(fd, (f"{{fd}} " + " ".join(shown)).encode())
os._exit(0)
""")

    number, *shown = report.read_text().split()
    assert int(number) > 2
    assert shown == ["/dev/nullTrue"] * len(closed)


def test_open_descriptors_stay() -> None:
    assert python("""
from qsmtpd.qmail.process import open_standard_descriptors
before = [os.readlink(f"/proc/self/fd/{n}") for n in range(3)]
open_standard_descriptors()
print(before == [os.readlink(f"/proc/self/fd/{n}") for n in range(3)])
""") == "True\n"


def test_children_can_be_waited_for() -> None:
    """A55: a parent that ignores SIGCHLD (NQ CHANGES 1996) takes away every exit code."""
    assert python("""
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from qsmtpd.qmail import process
process.prepare()
pid = process.spawn("/bin/false", {}, {})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""") == "1\n"


def test_exec_gives_the_signals_back() -> None:
    """A55: Python ignores SIGPIPE and SIGXFSZ; a program that inherits that writes for ever."""
    status = python("""
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from qsmtpd.qmail.process import exec_program
exec_program("/bin/cat", ["/proc/self/status"], {})
""")

    assert not ignored(status) & {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD}


def test_exec_in_the_same_process_with_arguments_and_environment() -> None:
    output = python("""
from qsmtpd.qmail.process import exec_program
print(os.getpid(), flush=True)
exec_program("/bin/sh", ["-c", 'echo $$ "$1" "$A"; ls /proc/$$/fd', "-", "one $(two)"], {b"A": b"a b"})
""").split("\n")

    assert output[1] == f"{output[0]} one $(two) a b"
    assert {"0", "1", "2"} == set(output[2:-1]) - {"10", "3"}


def test_exec_of_nothing_raises() -> None:
    assert python("""
from qsmtpd.qmail.process import exec_program
try:
    exec_program("/nowhere/at/all", [], {})
except FileNotFoundError:
    print("raised")
""") == "raised\n"


def test_spawn_gives_the_signals_back(script: Script) -> None:
    read_end, write_end = os.pipe()
    pid = process.spawn(script("grep SigIgn /proc/self/status"), {1: write_end}, {b"PATH": b"/usr/bin:/bin"})
    os.close(write_end)
    status = os.read(read_end, 4096).decode()
    os.close(read_end)
    os.waitpid(pid, 0)

    assert signal.SIGPIPE in ignored(Path("/proc/self/status").read_text())
    assert not ignored(status) & {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD}


def test_spawn_of_nothing_raises() -> None:
    with pytest.raises(FileNotFoundError):
        process.spawn("/nowhere/at/all", {}, {})
