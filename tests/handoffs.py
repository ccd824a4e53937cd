"""handoff compiled, and a service for it in a thread."""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from qsmtpd.drivers.handed import MESSAGE, SESSION, Handed, listening

ROOT = Path(__file__).parent.parent

Handler = Callable[[bytes, dict[bytes, bytes], dict[int, int]], Coroutine[Any, Any, int]]


def build(place: Path) -> None:
    """handoff and handoff-qqshim as make builds them; and, for qsmtpd and qqshim, scripts that say that it was they."""
    rules = f"include {ROOT}/Makefile\none:\n\t$(call handoff,{place})\n"
    subprocess.run(["make", "-s", "-f", "-", "one"], input=rules, text=True, check=True, cwd=ROOT)
    for name, code in (("qsmtpd", 3), ("qqshim", 4)):
        program = place / name
        program.write_text(f'#!/bin/sh\necho "$0 $#" >>{place}/cold\nexit {code}\n')
        program.chmod(0o755)
    (place / "cold").touch()
    (place / "cold").chmod(0o666)


def is_there(path: Path) -> bool:
    """Whether a service listens at a path."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


class Service:
    """A service with a handler, in a thread with a loop of its own.

    handed  None until it has begun
    log     its faults
    """

    def __init__(self, path: Path, handler: Handler, seconds: float) -> None:
        self.path = path
        self.log: list[tuple[str, Any]] = []
        self.handed: Handed | None = None
        self._handler = handler
        self._seconds = seconds
        self._listener = listening(str(path))
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._begun.wait(10)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        handlers = {kind: partial(self._call, kind) for kind in (SESSION, MESSAGE)}
        self.handed = Handed(self._listener, handlers, lambda *line: self.log.append(line), self._seconds)
        self.handed.start()
        self._begun.set()
        await self._end.wait()
        self.handed.close()
        for task in tuple(self.handed.running):
            task.cancel()

    async def _call(self, kind: bytes, environment: dict[bytes, bytes], fds: dict[int, int], _pid: int) -> int:
        return await self._handler(kind, environment, fds)

    def call(self, what: Callable[[], None]) -> None:
        """Have its loop do something."""
        self._loop.call_soon_threadsafe(what)

    def stop(self) -> None:
        """End it; once is enough."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)


@contextmanager
def serving(path: Path, handler: Handler, seconds: float = 5.0) -> Iterator[Service]:
    """A service at a path, whose directory is made."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    service = Service(path, handler, seconds)
    try:
        yield service
    finally:
        service.stop()


def close_all(fds: dict[int, int]) -> None:
    for fd in fds.values():
        os.close(fd)
