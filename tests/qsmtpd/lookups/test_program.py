"""Programs that are asked: what they get, how they answer, and those that never do."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.program import run
from qsmtpd.lookups.warmprograms import Programs
from qsmtpd.qmail import env
from tests.onloop import on_loop


@pytest.fixture(params=["blocking", "warm"], autouse=True)
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run by a process of one session, then by the listener."""
    with on_loop() as running:
        programs = Programs(running.loop)

        def warm(
                program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (), words: bytes | None = None,
                seconds: float = 30) -> int:
            variables = env.without() | environment
            return running.complete(programs.run(program, variables, arguments, words, seconds))

        if request.param == "warm":
            monkeypatch.setitem(globals(), "run", warm)
        yield


def script(tmp_path: Path, text: str) -> bytes:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path).encode()


@pytest.mark.parametrize("code", [0, 1, 100, 111, 255])
def test_the_exit_code(tmp_path: Path, code: int) -> None:
    assert run(script(tmp_path, f"exit {code}"), {}) == code


def test_variables(tmp_path: Path) -> None:
    """A53, A54: values with all that a shell knows come through as they are."""
    value = b"() { :;}; touch /tmp/x `id` $(id) '\" \xff"
    program = script(tmp_path, f'printf %s "$RECIPIENT" > {tmp_path}/said; test -n "$PATH"')

    assert run(program, {b"RECIPIENT": value}) == 0
    assert (tmp_path / "said").read_bytes() == value


def test_nothing_of_the_connection_is_there(tmp_path: Path) -> None:
    """A55: neither the client's socket, nor the queue program's name, nor what we have open."""
    code = run(script(tmp_path, f"""
        ls -l /proc/self/fd > {tmp_path}/said
        read line && exit 1
        echo 250 ok
        test -z "$QMAILQUEUE" """), {})

    assert code == 0
    links = (tmp_path / "said").read_text()
    assert "socket" not in links
    assert "0 -> /dev/null" in links


def test_arguments_are_not_a_command(tmp_path: Path) -> None:
    program = script(tmp_path, f'printf "%s|" "$@" > {tmp_path}/said')
    run(program, {}, (b"a b", b"-n", b"$(id)", b""))

    assert (tmp_path / "said").read_bytes() == b"a b|-n|$(id)||"


@pytest.mark.parametrize("words", [b"joe@x\0\0\0", b"", b"x" * 4096])
def test_descriptor_3(tmp_path: Path, words: bytes) -> None:
    assert run(script(tmp_path, f"cat <&3 > {tmp_path}/said"), {}, words=words) == 0
    assert (tmp_path / "said").read_bytes() == words


def test_a_program_that_does_not_read_does_not_stop_us(tmp_path: Path) -> None:
    assert run(script(tmp_path, "exit 7"), {}, words=b"x" * 1_000_000) == 7


def test_a_program_that_does_not_end(tmp_path: Path) -> None:
    """It goes, and what it has started."""
    program = script(tmp_path, f"sleep 100 & echo $! > {tmp_path}/child; wait")
    begin = time.monotonic()
    with pytest.raises(LookupFailedError, match="no end after"):
        run(program, {}, seconds=0.5)
    assert time.monotonic() - begin < 10
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("program", [b"/nonexistent/check", b"/etc", b"", b"a\0b"])
def test_a_program_that_cannot_be_executed(program: bytes) -> None:
    """A140."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LookupFailedError):
        run(program, {})
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_that_crashes(tmp_path: Path) -> None:
    with pytest.raises(LookupFailedError, match="killed by signal 11"):
        run(script(tmp_path, "kill -SEGV $$"), {})


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    run(script(tmp_path, "exit 0"), {}, words=b"x")

    assert len(os.listdir("/proc/self/fd")) == len(before)
