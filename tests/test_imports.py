"""The import budget: a program that is started for each connection or message imports what this list allows, and no more."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "os": "files, processes; with the six below, half a millisecond",
    "stat": "of os",
    "posixpath": "of os",
    "genericpath": "of os",
    "_stat": "of os",
    "_collections_abc": "of os",
    "os.path": "of os",
    "posix": "in the interpreter",
    "errno": "in the interpreter",
    "time": "in the interpreter",
    "_signal": "in the interpreter; what signal offers, without enum",
    "_operator": "in the interpreter; compare_digest, without hmac and hashlib",
    "itertools": "in the interpreter",
    "pwd": "in the interpreter; one account is looked up",
    "select": "poll: small, no Python code",
    "fcntl": "locks and flags: small, no Python code",
    "math": "small, no Python code",
    "struct": "the next one and a page of Python",
    "_struct": "small, no Python code",
    "_socket": "what socket offers, without enum, selectors and 3 ms",
    "_sha256": "digests, without hashlib and OpenSSL",
    "cdbx": "cdb files; imports nothing itself",
    "cdbx._cdb": "of cdbx",
}
"""Module: why a program that lives 10 ms may have it."""

RECORD = """
import sys, posix
def note(event, arguments):
    if event == "import":
        posix.write({report}, arguments[0].encode() + b"\\n")
started_with = set(sys.modules)
sys.path[:0] = [{root!r}]
sys.path.append({packages!r})
sys.argv = ["program"]
sys.addaudithook(note)
"""
"""Every import is noted when it happens, for these programs end by _exit and by exec."""


def entry_modules() -> dict[str, str]:
    """Launcher: the module that it runs, for every launcher whose module exists."""
    found = {}
    for path in sorted(ROOT.glob("*/launch/*")):
        module = path.read_text().partition("from ")[2].split()[0]
        if (ROOT / f"{module.replace('.', '/')}.py").exists():
            found[path.name] = module
    return found


ENTRIES = entry_modules()


class Run(NamedTuple):
    """What a program imported, how it ended, and what it wrote on descriptor 1."""

    modules: set[str]
    code: int
    output: bytes


def run(code: str, home: Path, stdin: bytes = b"", envelope: bytes | None = None) -> Run:
    """Run the code as a launcher runs it: isolated (-I), without site (-S).

    envelope   when given, what is to be read from descriptor 1
    """
    report_end, report = os.pipe()
    envelope_end, write_end = os.pipe()
    os.write(write_end, envelope or b"")
    os.close(write_end)
    script = RECORD.format(report=report, root=str(ROOT), packages=sysconfig.get_path("platlib")) + code
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], input=stdin, stderr=subprocess.PIPE, pass_fds=[report], check=False,
        stdout=subprocess.PIPE if envelope is None else envelope_end, timeout=30, env={
            "PATH": "/usr/bin:/bin", "PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1", "RELAYCLIENT": "", "QMAILHOME": str(home)})
    os.close(report)
    os.close(envelope_end)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    with open(report_end) as lines:
        return Run(set(lines.read().split()), done.returncode, done.stdout or b"")


def ours(module: str) -> bool:
    return module.partition(".")[0] in ("qsmtpd", "qqshim", "holdq")


def too_much(ran: Run) -> list[str]:
    return sorted(module for module in ran.modules if not ours(module) and module not in ALLOWED)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A QMAILHOME with what every program wants, and a queue program that takes everything."""
    for directory in ("control", "bin", "holdq/incoming"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "control/me").write_text("mx.example.org\n")
    program = tmp_path / "bin/qmail-queue"
    program.write_text("#!/bin/sh\ncat >/dev/null\ncat <&1 >/dev/null\n")
    program.chmod(0o755)
    return tmp_path


def test_every_launcher_has_its_module() -> None:
    assert sorted(path.name for path in ROOT.glob("*/launch/*")) == sorted(ENTRIES)


@pytest.mark.parametrize("launcher", ENTRIES)
def test_start(launcher: str, home: Path) -> None:
    """What is there before the first byte is read."""
    ran = run(f"import {ENTRIES[launcher]}", home)

    assert ran.code == 0
    assert not too_much(ran)


@pytest.mark.parametrize("launcher", [name for name in ENTRIES if name == "qsmtpd"])
def test_a_whole_session(launcher: str, home: Path) -> None:
    """From the greeting to QUIT, with a message between; who has the default rules does not pay for reading others."""
    dialogue = (b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example.org>\r\nDATA\r\n"
                b"Subject: x\r\n\r\ny\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n")
    ran = run(f"from {ENTRIES[launcher]} import main\nmain()", home, dialogue)

    assert ran.code == 0
    assert b" qp " in ran.output
    assert not too_much(ran)
    assert not {"qsmtpd.rules.parse", "qsmtpd.checks.recipients"} & ran.modules


@pytest.mark.parametrize("launcher", [name for name in ENTRIES if name != "qsmtpd"])
@pytest.mark.parametrize(("envelope", "code"), [(b"", 54), (b"Fa@example.org\0Tb@example.org\0\0", 0)], ids=["abort", "whole"])
def test_a_whole_message(launcher: str, home: Path, envelope: bytes, code: int) -> None:
    ran = run(f"from {ENTRIES[launcher]} import main\nmain()", home, b"Subject: x\n\ny\n", envelope)

    assert ran.code == code
    assert not too_much(ran)


def test_the_record_sees_what_is_imported(home: Path) -> None:
    """The instrument itself: what is imported late, in a function, just before os._exit."""
    assert {"re", "enum"} <= run("def f():\n    import re\nf()\nimport os\nos._exit(0)", home).modules
    assert not run("pass", home).modules
