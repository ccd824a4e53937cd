"""What is measured: each case is a program, what it is given to do, and the floors that it is compared with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cdbx

from qsmtpd.rules.default import TEXT

ROOT = Path(__file__).parents[2]
VENV = Path(sys.prefix)
PACKAGES = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
PYTHON = Path(sys.executable).resolve()
BARE = (PYTHON, "-I", "-S", "-c")
ENDED = "import posix; posix._exit(0)"

CONNECT, HARVEST, DELIVER, MESSAGE, START = "connect", "harvest", "deliver", "message", "start"
TITLES = {
    HARVEST: "harvest: EHLO, MAIL, 20 refused RCPTs, QUIT",
    DELIVER: "deliver: one message of 2 KiB",
    CONNECT: "connect: greeting and QUIT",
    MESSAGE: "the queue programs by themselves, a message of 2 KiB each",
    START: "what a start is made of",
}
"""Group: its heading, in the order of the table."""

REPLIES = """
from posix import _exit, read, write
write(1, b"220 mx.bench.test ESMTP\\r\\n")
rest, in_data = b"", False
while data := read(0, 65536):
    *lines, rest = (rest + data).split(b"\\r\\n")
    for line in lines:
        verb = line[:1]
        if in_data:
            in_data = line != b"."
            say = b"" if in_data else b"250 2.0.0 ok\\r\\n"
        elif verb == b"R":
            say = b"250 2.1.5 ok\\r\\n" if b"<good" in line else b"550 5.1.1 no such user\\r\\n"
        elif verb == b"E":
            say = b"250-mx.bench.test\\r\\n250-PIPELINING\\r\\n250 8BITMIME\\r\\n"
        elif verb == b"D":
            in_data, say = True, b"354 go ahead\\r\\n"
        else:
            say = b"221 2.0.0 bye\\r\\n" if verb == b"Q" else b"250 2.0.0 ok\\r\\n"
        if say:
            write(1, say)
        if verb == b"Q" and not in_data:
            _exit(0)
"""
"""The server that replies.c is, in Python: nothing is imported that the interpreter does not hold."""

DRAIN = "from posix import _exit, read\nfor fd in 0, 1:\n    while read(fd, 65536): pass\n_exit(0)\n"


class Case(NamedTuple):
    """One row of the table.

    group    what it is given to do, and whose floors it is compared with
    name     as the table has it; the floors are called C and PYTHON in code
    floor    "C" or "Python": the others are compared with it; "part": a part of a start that is not ours; "": ours
    weight   times the usual number of sessions: what is quick is repeated more often
    budget   CPU ms and MiB that it may take; 0: none is set
    marks    beginnings of lines of which the log must have one a session
    source   Postfix's generator instead of ours
    listener  it takes tcpserver's place
    """

    group: str
    name: str
    argv: Sequence[str | Path]
    environment: dict[str, str] = {}  # noqa: RUF012  nobody changes it
    floor: str = ""
    weight: int = 1
    budget: tuple[float, float] = (0.0, 0.0)
    marks: tuple[str, ...] = ()
    source: bool = False
    listener: bool = False


class Site:
    """A throw-away QMAILHOME: bench.test is ours, good@bench.test and others exist, and there is a spool.

    place  where drain and replies have been built
    bin    a copy of the launchers as make has installed them, with the interpreter beside them
    """

    def __init__(self, place: Path, many: int) -> None:
        """Make it; control-many is the control directory with so many addresses, control the one with 1,000."""
        self.place = place
        self.bin = self._installation()
        self.home = place / "home"
        for name, addresses in (("control", 1000), ("control-many", many)):
            directory = self.home / name
            directory.mkdir(parents=True)
            (directory / "me").write_text("mx.bench.test\n")
            (directory / "rcpthosts").write_text("bench.test\n")
            write_addresses(directory / "validrcptto.cdb", addresses)
        self.message = place / "message"
        self.message.write_bytes(b"Subject: bench\n\n" + b"x" * 63 + b"\n" + (b"y" * 63 + b"\n") * 31)
        self.envelope = place / "envelope"
        self.envelope.write_bytes(b"Fsender@client.test\0Tgood@bench.test\0\0")
        subprocess.run([VENV / "bin/holdq", "init", "--one-uid"], env=self.environment(), check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(self.home / "control", self.home / "control-rules")
        (self.home / "control-rules/rules").write_bytes(TEXT)
        self._launcher()

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """What tcpserver would be started with, which hands it on."""
        return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.home), "BRTLIMIT": "0", "QMAILQUEUE": str(self.place / "drain"),
                "QQNEXT": str(self.place / "drain"), **(more or {})}

    def _installation(self) -> Path:
        """Copied, so that nobody who runs make meanwhile takes it away from a session."""
        place = self.place / "bin"
        place.mkdir()
        shutil.copy(VENV / "pyvenv.cfg", self.place)
        (place / "python3").symlink_to(PYTHON)
        for name in ("qsmtpd", "qqshim", "holdq", "cdbx"):
            shutil.copytree(VENV / PACKAGES / name, self.place / PACKAGES / name)
        launchers = sorted(ROOT.glob("*/launch/*"))
        subprocess.run([place / "python3", "-IS", ROOT / "tools/pack.py", self.place, *launchers], check=True)
        return place

    def _launcher(self) -> None:
        """A launcher as pip alone installs it, with drain in the interpreter's place: the shell's part of a start."""
        (self.place / "launch").mkdir()
        shutil.copy(ROOT / "qsmtpd/launch/qsmtpd", self.place / "launch")
        (self.place / "launch/python3").symlink_to(self.place / "drain")


def write_addresses(path: Path, count: int) -> None:
    """Write a validrcptto.cdb: good@bench.test, and count - 1 others."""
    with path.open("wb") as file:
        maker = cdbx.CDB.make(file)
        maker.add(b"good@bench.test", b"")
        for number in range(1, count):
            maker.add(b"user%07d@bench.test" % number, b"")
        maker.commit()


def cases(site: Site, many: int) -> list[Case]:
    """All rows, in the order of the table."""
    return [*_sessions(site, many), *_messages(site), *_starts(site)]


def _floors(site: Site, group: str) -> list[Case]:
    return [Case(group, "floor: tcpserver, C with fixed replies", [site.place / "replies"], floor="C", weight=4),
            Case(group, "floor: tcpserver, python3 -I -S -c with fixed replies", [*BARE, REPLIES], floor="Python")]


def _sessions(site: Site, many: int) -> list[Case]:
    qsmtpd = [site.bin / "qsmtpd"]
    lines = ("session ", "message id=")
    shim = {"QMAILQUEUE": str(site.bin / "qqshim")}
    hold = {"QMAILQUEUE": str(site.bin / "holdq-queue")}
    large = {"CONTROLDIR": str(site.home / "control-many")}
    listen = [VENV / "bin/qsmtpd-listen"]
    return [
        *_floors(site, HARVEST),
        Case(HARVEST, "qsmtpd, 1,000 addresses", qsmtpd, budget=(12, 12), marks=("session ",)),
        Case(HARVEST, f"qsmtpd, {many:,} addresses", qsmtpd, large, budget=(12, 12), marks=("session ",)),
        Case(HARVEST, "qsmtpd-listen, 1,000 addresses", listen, weight=8, budget=(0.45, 0), marks=("session ",), listener=True),
        *_floors(site, DELIVER),
        Case(DELIVER, "qsmtpd, a queue program in C that keeps nothing", qsmtpd, marks=lines),
        Case(DELIVER, "the same, by Postfix's smtp-source", qsmtpd, marks=lines, source=True),
        Case(DELIVER, "qsmtpd, holdq-queue: on the disk before 250", qsmtpd, hold, marks=(*lines, "hold ")),
        Case(DELIVER, "qsmtpd, qqshim without scanners, that queue program", qsmtpd, shim, marks=(*lines, "message qp=")),
        Case(DELIVER, "qsmtpd-listen, that queue program", listen, weight=4, marks=lines, listener=True),
        Case(DELIVER, "qsmtpd-listen, into the spool of holdq: on the disk before 250", listen, hold, weight=4, budget=(0.6, 0),
             marks=(*lines, "hold "), listener=True),
        *_floors(site, CONNECT),
        Case(CONNECT, "qsmtpd", qsmtpd, marks=("session ",)),
        Case(CONNECT, "qsmtpd-listen", listen, weight=16, budget=(0.08, 0), marks=("session ",), listener=True),
    ]


def _messages(site: Site) -> list[Case]:
    network = {"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1"}  # as from a session, so that the log is theirs
    shim, hold = [site.bin / "qqshim"], [site.bin / "holdq-queue"]
    return [
        Case(MESSAGE, "floor: C that reads all", [site.place / "drain"], floor="C", weight=4),
        Case(MESSAGE, "floor: python3 -I -S -c that reads all", [*BARE, DRAIN], floor="Python"),
        Case(MESSAGE, "qqshim without scanners, then the C program", shim, network, budget=(15, 14), marks=("message qp=",)),
        Case(MESSAGE, "the same, with the default rules as control/rules", shim,
             {**network, "CONTROLDIR": str(site.home / "control-rules")}, budget=(15, 14), marks=("message qp=",)),
        Case(MESSAGE, "holdq-queue: on the disk", hold, network, marks=("hold ",)),
    ]


def _starts(site: Site) -> list[Case]:
    def importing(module: str) -> list[str | Path]:
        return [site.bin / "python3", *BARE[1:],
                f"import sys; sys.path.append({os.fspath(site.place / PACKAGES)!r}); import {module}; {ENDED}"]

    python = [site.bin / "python3", *BARE[1:], ENDED]
    return [
        Case(START, "floor: a C program", [site.place / "drain"], floor="C", weight=4),
        Case(START, "floor: python3 -I -S, ended by _exit", [*BARE, ENDED], floor="Python"),
        Case(START, "python3 -I -S, ended by itself", [*BARE, "pass"], floor="part"),
        Case(START, "the sh of a launcher that pip alone installed", [site.place / "launch/qsmtpd"], weight=4),
        Case(START, "the virtual environment's python3 -I -S, _exit", python, floor="part"),
        Case(START, "the same, and what qsmtpd imports, one by one", importing("qsmtpd.main")),
        Case(START, "the same, and what qqshim imports, one by one", importing("qqshim.main")),
        Case(START, "the same, and what holdq-queue imports, one by one", importing("holdq.enqueue")),
    ]
