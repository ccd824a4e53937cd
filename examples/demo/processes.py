"""Programs that run until they are stopped, and how to be sure that nothing is left of them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from home import Home

STOP_SECONDS = 5.0
POLL_SECONDS = 0.02


class Daemon:
    """A program that runs until it is stopped, with all that it starts: a session of its own, its output in a file."""

    def __init__(self, name: str, argv: Sequence[str], home: Home, ready: Callable[[], bool]) -> None:
        self.name = name
        self.log = home.path / f"{name}.log"
        self.ready = ready
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                argv, env=home.env, cwd=home.path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self.process.pid

    def trouble(self, deadline: float) -> str:
        """Wait until it is ready; returns "" or, as soon as that is known, why it will not be."""
        while not self.ready():
            if self.process.poll() is not None:
                return f"it ended at once: {last_words(self.log)}"
            if time.monotonic() > deadline:
                return f"it was not ready in time: {last_words(self.log)}"
            time.sleep(POLL_SECONDS)
        return ""

    def stop(self) -> None:
        """End its process group, gently first, and wait until nobody of it is left."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            members = group(self.pid)
            if not members:
                break
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while any(alive(member) for member in members) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        self.process.wait()


def end_stragglers(home: Home) -> None:
    """End what an interruption has left of programs that were to end by themselves."""
    deadline = time.monotonic() + STOP_SECONDS
    while (left := list(_started_for(home))) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(POLL_SECONDS)


def last_words(log: Path) -> str:
    """The end of a log, on one line of printable ASCII."""
    try:
        text = log.read_bytes()[-300:].decode("ascii", "backslashreplace")
    except OSError:
        return "(no log)"
    return " ".join(text.split()) or "(no word)"


def group(number: int) -> list[psutil.Process]:
    """The processes of a process group."""
    return [process for process in psutil.process_iter() if _group_of(process.pid) == number and alive(process)]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def alive(process: psutil.Process) -> bool:
    """Not so a zombie, which only waits for a parent that may not care."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _started_for(home: Home) -> Iterator[psutil.Process]:
    """Who has the home's own TMPDIR in its environment, as all that is started here."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if alive(process) and process.environ().get("TMPDIR") == home.env["TMPDIR"]:
                yield process
