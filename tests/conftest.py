"""What all tests share: an installation of the programs that every user may run, and throw-away qmail homes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEFAULT_RULES = (ROOT / "examples/rules").read_text()


@pytest.fixture(scope="session")
def installation() -> Iterator[Path]:
    """A copy of the virtual environment's programs, as "make install" leaves them, in a place that qmaild may read.

    Its bin/ holds python3, the launchers (qsmtpd, qqshim, holdq-queue), handoff, and the people's programs.
    """
    venv = Path(sys.prefix)
    packages = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    place = Path(tempfile.mkdtemp(prefix="frontline-"))
    (place / "bin").mkdir()
    (place / packages).mkdir(parents=True)
    shutil.copy(venv / "pyvenv.cfg", place)
    (place / "bin/python3").symlink_to(Path(sys.executable).resolve())
    for name in ("qsmtpd-listen", "holdq", "validusers", "tcpsmtp", "frontline"):
        first, _, rest = (venv / "bin" / name).read_text().partition("\n")
        program = place / "bin" / name
        program.write_text(f"{first.replace(str(venv), str(place))}\n{rest}")
        program.chmod(0o755)
    for name in ("qsmtpd", "qqshim", "holdq", "tools", "cdbx", "psutil", "uvloop"):
        shutil.copytree(venv / packages / name, place / packages / name)
    for name in ("handoff", "handoff-qqshim"):
        shutil.copy(venv / "bin" / name, place / "bin")
    launchers = sorted(ROOT.glob("*/launch/*"))
    subprocess.run([place / "bin/python3", "-IS", ROOT / "tools/pack.py", place, *launchers], check=True)
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def accounts() -> None:
    """The accounts of a qmail server and ours, made by the script that INSTALL runs; without root there is one user."""
    if os.getuid() == 0:
        subprocess.run([ROOT / "examples/accounts"], check=True)


def let_others_in(path: Path) -> None:
    """Let every user reach a directory: pytest makes its own for us alone."""
    for directory in (path, *path.parents):
        if directory.stat().st_mode & 0o005 != 0o005:
            directory.chmod(directory.stat().st_mode | 0o055)


class QmailHome:
    """A throw-away QMAILHOME: control files, and a queue program that records what it is given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.control = path / "control"
        self.queued = path / "queued"
        for directory in (self.control, path / "bin", self.queued):
            directory.mkdir(parents=True, mode=0o755)
        self.queued.chmod(0o777)
        self.write("me", "mx.bench.test")
        self.queue_program('cat > "$d/message"; cat <&1 > "$d/envelope"; mv "$d" "${d%.part}"')

    def write(self, name: str, text: str) -> None:
        (self.control / name).write_text(text if text.endswith("\n") else f"{text}\n")

    def queue_program(self, body: str) -> Path:
        """Make bin/qmail-queue a shell script; $d is a fresh directory queued/PID.part.

        It takes the place of another at once: a shell that starts with an empty one has nothing to do, and is content.
        """
        program, new = self.path / "bin/qmail-queue", self.path / "bin/qmail-queue.new"
        new.write_text(f'#!/bin/sh\nd={self.queued}/$$.part; mkdir "$d"\n{body}\n')
        new.chmod(0o755)
        return new.rename(program)

    def messages(self) -> list[tuple[bytes, bytes]]:
        """The messages so far whose envelope has its end, as qmail-queue would queue them: message, envelope."""
        whole = (place for place in self.queued.iterdir() if place.suffix != ".part")
        places = sorted(whole, key=lambda place: place.stat().st_mtime_ns)
        given = [((place / "message").read_bytes(), (place / "envelope").read_bytes()) for place in places]
        return [(message, envelope) for message, envelope in given if envelope.endswith(b"\0\0")]


@pytest.fixture
def qmail_home(tmp_path: Path) -> QmailHome:
    return QmailHome(tmp_path / "qmail")
