"""Many programs at once, and clients who do not wait for them; what one program gets is in test_program.py."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import warmprograms
from qsmtpd.lookups.warmprograms import Programs
from tests.onloop import OnLoop, on_loop, together
from tests.servers import wait_until


@pytest.fixture
def running() -> Iterator[OnLoop]:
    with on_loop() as running:
        yield running


def script(tmp_path: Path, text: str) -> bytes:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path).encode()


def test_so_many_run_at_once_and_the_others_wait(
        running: OnLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmprograms, "AT_ONCE", 3)
    program = script(tmp_path, f"""
        mkdir {tmp_path}/run$$
        ls {tmp_path} | grep -c run >> {tmp_path}/most
        sleep .1
        rmdir {tmp_path}/run$$
        exit 7""")
    programs = Programs(running.loop)

    assert together([programs.run(program, {b"PATH": b"/bin:/usr/bin"}) for _ in range(12)], running) == [7] * 12
    assert max(int(line) for line in (tmp_path / "most").read_text().split()) <= 3


def test_too_many(running: OnLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmprograms, "AT_ONCE", 1)
    monkeypatch.setattr(warmprograms, "WAITING_MAX", 2)
    programs = Programs(running.loop)
    program = script(tmp_path, "sleep 0.2; exit 7")
    results = together([programs.run(program, {b"PATH": b"/bin"}) for _ in range(6)], running)

    assert results[:3] == [7, 7, 7]
    assert all(isinstance(result, LookupFailedError) and "too many" in str(result) for result in results[3:])


def test_a_client_who_goes_takes_the_program_along(running: OnLoop, tmp_path: Path) -> None:
    """A140: it and what it has started; no zombie, no descriptor, and its place is free again."""
    programs = Programs(running.loop)
    before = len(os.listdir("/proc/self/fd"))
    program = script(tmp_path, f"sleep 100 & echo $! > {tmp_path}/child; wait")
    asking = programs.run(program, {b"PATH": b"/bin:/usr/bin"})
    running.call(lambda: asking.send(None))
    wait_until(lambda: (tmp_path / "child").exists() and bool((tmp_path / "child").read_text()))
    running.call(asking.close)
    wait_until(lambda: programs._slots._free == warmprograms.AT_ONCE)

    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text())
    assert len(os.listdir("/proc/self/fd")) == before
    assert not zombies()


def zombies() -> list[str]:
    """Children of ours that have ended and that nobody has asked about."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = place.read_text().rpartition(")")
        except OSError:
            continue
        if rest.split()[:2] == ["Z", str(os.getpid())]:
            found.append(name)
    return found


def test_the_loop_goes_on(running: OnLoop, tmp_path: Path) -> None:
    programs = Programs(running.loop)
    asking = programs.run(script(tmp_path, "sleep 30"), {b"PATH": b"/bin"})
    running.call(lambda: asking.send(None))
    begin = time.monotonic()
    assert running.complete(programs.run(b"/bin/true", {})) == 0
    assert time.monotonic() - begin < 5
    running.call(asking.close)
    wait_until(lambda: programs._slots._free == warmprograms.AT_ONCE)


def test_one_that_cannot_be_executed_gives_its_place_back(running: OnLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmprograms, "AT_ONCE", 1)
    programs = Programs(running.loop)
    for _ in range(3):
        with pytest.raises(LookupFailedError, match="No such file"):
            running.complete(programs.run(b"/nonexistent", {}))
    assert running.complete(programs.run(b"/bin/true", {})) == 0


def test_one_that_cannot_be_watched(running: OnLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptor is left for it: it is killed at once, and the loop does not wait."""
    def none(pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("posix.pidfd_open", none)
    programs = Programs(running.loop)
    with pytest.raises(LookupFailedError, match="killed by signal 9"):
        running.complete(programs.run(b"/bin/sleep", {}, (b"30",)))
    assert programs._slots._free == warmprograms.AT_ONCE
