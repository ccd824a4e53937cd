"""What processes that still run have used: CPU time and memory, of a whole tree."""

import time
from ctypes import CDLL, byref, c_int
from pathlib import Path

import psutil

STILL = 0.001
"""CPU seconds in TURN that are as good as nothing."""
TURN = 0.1
PATIENCE = 10.0


def tree(pid: int) -> list[int]:
    """The processes that a process has started, and theirs; without itself."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time so far of all that a process has started.

    A process that runs is asked for its clock, which has nanoseconds; those that its parent has waited for are in the parent's
    account, which has hundredths of a second.  Wrong by 20 ms at most where those come and go.
    """
    return sum(_clock(each) + _waited_for(each) for each in tree(pid))


def _clock(pid: int) -> float:
    clock = c_int()
    if CDLL(None).clock_getcpuclockid(pid, byref(clock)):
        return 0.0
    try:
        return time.clock_gettime(clock.value)
    except OSError:
        return 0.0  # it has ended, and is in somebody's account


def _waited_for(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.children_user + times.children_system)


def at_rest(pid: int) -> float:
    """Wait until all that a process has started does nothing more; returns its cpu_seconds()."""
    deadline = time.monotonic() + PATIENCE
    before = cpu_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(TURN)
        now = cpu_seconds(pid)
        if now - before < STILL:
            return now
        before = now
    return before


def pss_kib(pid: int) -> int:
    """The memory of all that a process has started: pages that several of them have count for each by its share."""
    return sum(_pss(each) for each in tree(pid))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended meanwhile
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def listens(port: int) -> bool:
    """Whether somebody listens there, on IPv4: without a connection, which a server would count."""
    lines = Path("/proc/net/tcp").read_text().split("\n")[1:]
    return any(words[1].endswith(f":{port:04X}") and words[3] == "0A" for line in lines if (words := line.split()))
