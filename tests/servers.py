"""Starting real servers on loopback and ending them by their process ids; waiting for what they do."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PORTS = range(10_000, 30_000)
"""Below those that the kernel gives to clients, of whom there are thousands at times: one of them would take it meanwhile."""
_turn = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A port that nobody listens on, at any address."""
    while True:
        port = PORTS[next(_turn) % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port


def wait_until(condition: Callable[[], bool], seconds: float = 20.0, what: str = "the condition") -> None:
    """Poll until the condition holds.

    Raises:
        AssertionError: it did not within the time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Service:
    """A server in a session of its own, its output in a file; stopped with everything it started."""

    def __init__(self, argv: Sequence[str | Path], log: Path, env: dict[str, str] | None, cwd: Path | None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def stop(self, number: int = signal.SIGTERM) -> None:
        for each in (number, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, each)
            except ProcessLookupError:
                break
            try:
                self.process.wait(10)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()


@contextmanager
def running(argv: Sequence[str | Path], log: Path, ready: Callable[[], bool], *,
            env: dict[str, str] | None = None, cwd: Path | None = None, seconds: float = 30.0) -> Iterator[Service]:
    """A server for the time of a with statement, from when ready() is true."""
    service = Service(argv, log, env, cwd)
    try:
        wait_until(lambda: ready() or service.process.poll() is not None, seconds, f"start of {argv[0]}")
        if service.process.poll() is not None:
            raise AssertionError(f"{argv[0]} ended at once: {service.output()}")
        yield service
    finally:
        service.stop()
