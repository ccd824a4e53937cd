"""make demo, as a user starts it: the real programs, from nothing to nothing."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.scanners import open_directory
from tests.servers import wait_until

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "examples/demo/run.py"
SECONDS = 60

OUTCOMES = {
    "a good mail": ("250 2.0.0 ok ", "mail/ann/new/"),
    "to two recipients": ("250 2.0.0 ok ", "mail/ann/new/", "mail/ben/new/"),
    "an advertisement": ("250 2.0.0 ok ", "tags=spam score=6.5 symbols=OFFER", "mail/ben/new/"),
    "spam (GTUBE)": ("554 5.7.1 sorry, this message looks like spam, its score is 1000.0", "rule=queue symbols=GTUBE"),
    "a virus (EICAR)": ("554 5.7.1 sorry, this message contains Frontline.Eicar-Test", "rule=queue tags=virus"),
    "more than 50,000 bytes": ("552 5.3.4 ", "rule=databytes"),
    "for somebody elsewhere": ("553 5.7.1 ", "rule=rcpthosts"),
    "a harvester of addresses": (
        "550 5.1.1 sorry, no mailbox here by that name (10 times)", "421 4.7.0 ", "rule=validrcpt,27"),
    "from 127.0.0.2, blocked": ("553 5.7.1 your host sent us nothing but spam today", "rule=10"),
    "two messages in one, by LF": ("451 4.5.2 ", "rule=newline"),
    "a burst of 30": ("250 to each of 30 messages", "mail/ann/new/: 30 files, one after the other"),
    "sent while holdq is down": ("250 2.0.0 ok ", "holdq/incoming/", "mail/ben/new/"),
}
"""Title of a mail: what stands below it, in this order."""


@pytest.fixture
def python(installation: Path) -> Path:
    """The interpreter of an environment in which the programs are installed, as make demo uses that of .venv."""
    return installation / "bin/python3"


def run(python: Path, place: Path, *options: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run it with its temporary directory in a place of ours; path stands before the others in PATH."""
    return subprocess.run(
        [python, DEMO, *options], env=environment(place, path), capture_output=True, text=True, timeout=SECONDS, check=False)


def environment(place: Path, path: str = "") -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(place), "PATH": os.pathsep.join(filter(None, (path, os.environ["PATH"])))}


def rows(screen: str) -> dict[str, str]:
    """Title of a mail: the lines of its row, on one line."""
    found = re.findall(r"^ ?\d+  (.{26}) (.+\n(?: {4}.+\n)+)", screen, re.MULTILINE)
    return {title.strip(): " ".join(text.split()) for title, text in found}


def left_running(place: Path) -> list[str]:
    """Processes that have the place in their words, in their environment, or are there."""
    return [signs for signs in map(traits, psutil.process_iter()) if str(place) in signs]


def traits(process: psutil.Process) -> str:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{process.pid} {process.cmdline()} {process.cwd()} {process.environ().get('TMPDIR')}"
    except psutil.Error:
        return ""


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demo makes its directory: short, for its sockets, and open, for spamd that root has started."""
    with open_directory() as directory:
        yield directory
        assert left_running(directory) == []
        assert list(directory.iterdir()) == []


def test_every_mail_is_as_expected(python: Path, place: Path) -> None:
    done = run(python, place)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = rows(done.stdout)
    assert list(found) == list(OUTCOMES)
    assert {title: words for title, words in OUTCOMES.items() if not in_order(words, found[title])} == {}
    assert re.search(r"^12 of 12 mails as expected, in [0-9.]+ s$", done.stdout, re.MULTILINE)
    assert "accepted 34 messages for 35 recipients, delivered 35; refused 3 messages, 13 recipients" in done.stdout
    assert "Maildirs: ann 32, ben 3; holdq: incoming 0, hold 0, dead 0" in done.stdout


def test_the_screen_is_one_screen(python: Path, place: Path) -> None:
    """Without clamd, whose words have an escape sequence: nothing from outside reaches the terminal as it is."""
    fake = place.with_name(f"{place.name}-bin")
    fake.mkdir()
    try:
        (fake / "clamd").write_text("#!/bin/sh\nprintf 'no \\033[31mdatabase\\n'\nexit 2\n")
        (fake / "clamd").chmod(0o755)
        done = run(python, place, path=str(fake))
    finally:
        shutil.rmtree(fake)

    lines = done.stdout.split("\n")
    assert done.returncode == 0
    assert len(lines) <= 46
    assert [line for line in lines if len(line) > 100 or not (line.isascii() and line.isprintable())] == []
    assert rows(done.stdout)["a virus (EICAR)"].endswith(r"not sent: there is no clamd: it ended at once: no \x1b[31mdatabase")
    assert "11 of 11 mails as expected, 1 not sent" in done.stdout


def test_what_is_kept_runs_until_the_printed_command_stops_it(python: Path, place: Path) -> None:
    done = run(python, place, "--keep")
    commands = [line.strip() for line in done.stdout.partition("It runs on.")[2].split("\n")[1:] if line]
    try:
        swaks, _, stat, stop = commands
        sent = subprocess.run(swaks, shell=True, capture_output=True, text=True, timeout=20, check=False)
        counted = subprocess.run(stat, shell=True, capture_output=True, text=True, timeout=20, check=False)
    finally:
        subprocess.run(commands[-1], shell=True, timeout=20, check=True)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "<-  250 2.0.0 ok " in sent.stdout
    assert "gate    open" in counted.stdout
    assert stop.startswith("kill -- -")


STAGES = {
    "at once": ("*", b""),
    "while it prepares": ("*/tcp.smtp/tcp.smtp", b""),
    "while services start": ("*/svscan.log", b""),
    "while it sends": ("*/service/qsmtpd/log/main/current", b" session id="),
    "during the outage": ("*/service/holdq/log/main/current", b" stop pid="),
}
"""Stage: a file that is there then, and what it has in it."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_ends_it_and_all_that_it_started(python: Path, place: Path, stage: str, number: signal.Signals) -> None:
    with subprocess.Popen(
            [python, DEMO], env=environment(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        pattern, words = STAGES[stage]
        wait_until(lambda: any(file.is_dir() or words in file.read_bytes() for file in place.glob(pattern)), what=stage)
        demo.send_signal(number)
        screen, said = demo.communicate(timeout=SECONDS)

    assert (demo.returncode, screen) == (1, "")
    assert said in ("demo: interrupted\n", "demo: ended by SIGTERM\n")


def test_a_program_that_is_missing_is_named(python: Path, place: Path) -> None:
    """tcprules in PATH fails: nothing is shown, and the reason is."""
    fake = place / "bin"
    fake.mkdir()
    (fake / "tcprules").write_text("#!/bin/sh\necho out of order\nexit 111\n")
    (fake / "tcprules").chmod(0o755)
    done = run(python, place, path=str(fake))
    shutil.rmtree(fake)

    assert (done.returncode, done.stdout) == (1, "")
    assert "out of order" in done.stderr


def in_order(words: tuple[str, ...], text: str) -> bool:
    """Whether the text has them all, one behind the other."""
    return re.search(".*".join(re.escape(word) for word in words), text) is not None
