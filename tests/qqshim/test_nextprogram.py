"""The next program, started on a loop: its descriptors, its end, and the end of who waits for it."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from qqshim.faults import ShimError
from qqshim.nextprogram import NextProgram
from tests.servers import wait_until


def program(place: Path, body: str) -> str:
    path = place / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def run(path: str, descriptors: dict[int, int], environment: dict[bytes, bytes]) -> int:
    return await NextProgram(path, descriptors, environment).ended()


@pytest.mark.parametrize(("body", "code"), [("exit 0", 0), ("exit 82", 82), ("exit 255", 255), ("kill -9 $$", -9)])
def test_its_end(tmp_path: Path, body: str, code: int) -> None:
    assert asyncio.run(run(program(tmp_path, body), {}, {})) == code


def test_each_descriptor_has_its_number(tmp_path: Path) -> None:
    """Whatever ours are: two of them have each other's here."""
    ends = []
    for text in (b"first", b"second"):
        read, write = os.pipe()
        os.write(write, text)
        os.close(write)
        ends.append(read)
    first, second = ends
    body = f"cd {tmp_path}; cat </proc/$$/fd/{first} >first; cat </proc/$$/fd/{second} >second; echo $A >third"
    environment = {b"PATH": b"/usr/bin:/bin", b"A": b"b"}
    code = asyncio.run(run(program(tmp_path, body), {first: second, second: first}, environment))
    for fd in ends:
        os.close(fd)

    assert code == 0
    assert [(tmp_path / name).read_text() for name in ("first", "second", "third")] == ["second", "first", "b\n"]


@pytest.mark.parametrize("path", ["/nowhere/qmail-queue", "/etc/passwd"])
def test_what_cannot_be_executed(path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ShimError, match=f"^{path}: ") as caught:
        asyncio.run(run(path, {0: 0}, {}))
    assert caught.value.exit_code == 55
    assert len(os.listdir("/proc/self/fd")) == before


def test_who_is_cancelled_has_had_it_killed(tmp_path: Path) -> None:
    """And buried: its caller is gone, as if it had been killed itself."""
    async def cancelled() -> int:
        started = NextProgram(program(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 100"), {}, {b"PATH": b"/usr/bin:/bin"})
        task = asyncio.ensure_future(started.ended())
        await asyncio.sleep(0)  # who has not begun to wait has nothing to end
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pid = int((tmp_path / "pid").read_text())
        until = time.monotonic() + 10
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return pid
    pid = asyncio.run(cancelled())

    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 1)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
