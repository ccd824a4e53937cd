"""The target command: what the program gets, and what its end means."""

import os
import select
import time
from pathlib import Path

import psutil
import pytest

from holdq.targets import Result, Verdict
from holdq.targets.command import CommandTarget, result
from tests.holdq.site import END, Site
from tests.servers import wait_until


def program(site: Site, body: str) -> str:
    path = site.path / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def alive_in(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def deliver(site: Site, body: str, *arguments: str, seconds: float = 20, sender: bytes = b"a@b.c",
            recipients: tuple[bytes, ...] = (b"x@y.z",)) -> list[Result]:
    held = site.hold(b"Subject: x\n\n" + END, sender, *recipients)
    target = CommandTarget([program(site, body), *arguments], seconds, site.spool.hold)
    with site.store.open(held) as file:
        return [outcome for _, outcome in target.deliver(held.identity, file, file.recipients())]


def test_message_arguments_and_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QMAILQUEUE", "/bin/true")
    monkeypatch.setenv("HOLDQ_RUNNING", "/spool")
    out = site.path / "out"
    done = deliver(site, f'cat >>{out}; echo "$1|$2|$#|$SENDER|$RECIPIENT|${{QMAILQUEUE-un}}${{HOLDQ_RUNNING-set}}" >>{out}',
                   "one", "*", recipients=(b"x@y.z", b"q@y.z"))

    assert done == [Result(Verdict.DELIVERED)] * 2
    text = out.read_bytes()
    assert text.count(b"Subject: x\n\nthe end\none|*|2|a@b.c|") == 2
    assert b"|x@y.z|unset\n" in text
    assert b"|q@y.z|unset\n" in text
    assert b"holdq1" not in text, "the envelope and the trailer are not part of the message"


def test_no_shell_sees_an_address(site: Site) -> None:
    """A53, A54"""
    hostile = b"`touch %b/x`;$(id)|() { :;}" % os.fsencode(site.path)
    out = site.path / "out"
    done = deliver(site, f'printf %s "$SENDER" >{out}', sender=hostile, recipients=(hostile,))

    assert done == [Result(Verdict.DELIVERED)]
    assert out.read_bytes() == hostile
    assert not (site.path / "x").exists()


def test_its_input_is_a_file_to_seek_in(site: Site) -> None:
    """As vdelivermail does; and what it writes into it is nobody else's."""
    out = site.path / "out"
    code = "import os; os.read(0, 9); os.lseek(0, 0, 0); os.write(1, os.read(0, 99)); os.lseek(0, 0, 0); os.write(0, b'XXXX')"
    done = deliver(site, f'/usr/bin/python3 -c "{code}" >>{out}', recipients=(b"one", b"two"))

    assert done == [Result(Verdict.DELIVERED)] * 2
    assert out.read_bytes().count(b"Received: (holdq 77") == 2


@pytest.mark.parametrize(("code", "verdict"), [
    (0, Verdict.DELIVERED), (99, Verdict.DELIVERED), *[(code, Verdict.FAILED) for code in (100, 64, 65, 70, 76, 77, 78, 112)],
    *[(code, Verdict.LATER) for code in (1, 2, 63, 71, 75, 101, 111, 126, 127, 255)],
])
def test_exit_codes(code: int, verdict: Verdict) -> None:
    """As qmail-command(8) has them."""
    assert result(code << 8, b"").verdict is verdict


def test_its_words_are_the_reason(site: Site) -> None:
    assert deliver(site, "echo Sorry, no.; echo again >&2; exit 100") == [Result(Verdict.FAILED, "exit 100: Sorry, no. again")]


def test_a_crash_is_later(site: Site) -> None:
    """A140"""
    assert deliver(site, "kill -9 $$") == [Result(Verdict.LATER, "killed by signal 9")]
    assert deliver(site, "kill -13 $$") == [Result(Verdict.LATER, "killed by signal 13")]


def test_a_program_that_hangs_is_killed_with_its_children(site: Site) -> None:
    started = time.monotonic()
    done = deliver(site, f"echo $$ >{site.path}/pid; sleep 60 & sleep 60", seconds=0.3)

    assert done == [Result(Verdict.LATER, "killed after 0.3 s")]
    assert time.monotonic() - started < 10
    group = int(Path(site.path / "pid").read_text())
    wait_until(lambda: not [process for process in psutil.process_iter() if alive_in(process, group)])


def test_a_talker_is_killed_in_time_too(site: Site) -> None:
    assert deliver(site, "while :; do echo x; done", seconds=0.3) == [Result(Verdict.LATER, "killed after 0.3 s")]


def test_who_ended_while_we_were_asleep_is_believed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A135: the machine stood still past the time; the program had long delivered."""
    real = os.pidfd_open

    def stalled(pid: int) -> int:
        process = real(pid)
        select.select([process], [], [], 20)
        time.sleep(0.3)
        return process

    monkeypatch.setattr(os, "pidfd_open", stalled)
    assert deliver(site, "echo x; exit 0", seconds=0.2) == [Result(Verdict.DELIVERED)]


def test_a_timeout_is_believed_only_of_one_that_we_killed() -> None:
    assert result(0, b"", 5.0) == Result(Verdict.DELIVERED)
    assert result(100 << 8, b"no", 5.0) == Result(Verdict.FAILED, "exit 100: no")
    assert result(9, b"", 5.0) == Result(Verdict.LATER, "killed after 5 s")


def test_a_daemon_left_behind_does_not_hold_us(site: Site) -> None:
    """A143"""
    started = time.monotonic()
    done = deliver(site, "setsid sleep 5 & exit 0")

    assert done == [Result(Verdict.DELIVERED)]
    assert time.monotonic() - started < 4


def test_one_that_does_not_read_is_no_trouble(site: Site) -> None:
    assert deliver(site, "exec 0<&-; exit 0") == [Result(Verdict.DELIVERED)]


def test_a_program_that_is_not_there(site: Site) -> None:
    held = site.hold()
    with site.store.open(held) as file:
        (_, outcome), = CommandTarget(["/nonexistent"], 5, site.spool.hold).deliver(held.identity, file, file.recipients())

    assert outcome == Result(Verdict.LATER, "/nonexistent: No such file or directory")


def test_no_descriptor_is_left_open(site: Site) -> None:
    before = os.listdir("/proc/self/fd")
    deliver(site, "exit 0")
    deliver(site, "exit 1")

    assert os.listdir("/proc/self/fd") == before
