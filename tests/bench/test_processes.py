"""What a tree of processes has used is found while it runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench import processes
from tests.servers import free_port, wait_until

BURN = "import time\ndef burn(s):\n    end = time.process_time() + s\n    while time.process_time() < end: pass\n"
"""Python with a function that uses so many seconds of CPU time."""


@contextmanager
def parent(code: str) -> Iterator[int]:
    """A process whose child runs Python code and then waits; its id."""
    argv = [sys.executable, "-I", "-S", "-c", f"{code}\nprint('done', flush=True)\nimport time; time.sleep(60)"]
    shell = subprocess.Popen(["/bin/sh", "-c", '"$@" & echo $!; wait', "sh", *argv], stdout=subprocess.PIPE, text=True)
    assert shell.stdout
    child = int(shell.stdout.readline())
    try:
        assert shell.stdout.readline() == "done\n"
        yield shell.pid
    finally:
        os.kill(child, signal.SIGTERM)
        shell.wait(10)
        shell.stdout.close()


def test_a_process_that_runs_is_counted() -> None:
    with parent(f"{BURN}burn(0.3)") as pid:
        used = processes.cpu_seconds(pid)

    assert 0.3 * 0.97 < used < 0.3 + 0.3


def test_so_are_its_threads() -> None:
    """Also one that has ended."""
    threads = "import _thread\ndef work():\n    burn(0.2); lock.release()\nlock = _thread.allocate_lock(); lock.acquire()\n"
    with parent(f"{BURN}{threads}_thread.start_new_thread(work, ()); lock.acquire()") as pid:
        used = processes.cpu_seconds(pid)

    assert 0.2 * 0.97 < used < 0.2 + 0.3


def test_and_its_children_that_have_ended() -> None:
    child = "    pid = posix.fork()\n    if not pid: burn(0.15); posix._exit(0)\n    posix.waitpid(pid, 0)"
    with parent(f"{BURN}import posix\nfor _ in range(2):\n{child}") as pid:
        used = processes.cpu_seconds(pid)

    assert 0.3 * 0.9 < used < 0.3 + 0.3


def test_rest_is_when_nothing_is_used() -> None:
    """Not before."""
    begun = time.monotonic()
    with parent(f"{BURN}print('done', flush=True); burn(0.5)") as pid:
        used = processes.at_rest(pid)

        assert processes.cpu_seconds(pid) - used < processes.STILL
    assert used >= 0.5
    assert time.monotonic() - begun < 10


def test_memory_that_is_shared_counts_once() -> None:
    fork = "import posix\nb = bytearray(b'x') * (32 << 20)\npid = posix.fork()\nif not pid:\n    import time; time.sleep(30)"
    with parent(fork) as pid:
        found = processes.pss_kib(pid)
        for each in processes.tree(pid)[1:]:
            os.kill(each, signal.SIGKILL)

    assert 32 << 10 < found < 48 << 10


def test_who_listens_is_seen_without_a_connection() -> None:
    port = free_port()
    assert not processes.listens(port)
    code = f"import socket, sys\ns = socket.create_server(('127.0.0.1', {port}))\ns.setblocking(False); sys.stdin.read()\n"
    accept = "try: s.accept()\nexcept BlockingIOError: sys.exit(7)"
    with subprocess.Popen([sys.executable, "-I", "-c", code + accept], stdin=subprocess.PIPE) as server:
        wait_until(lambda: processes.listens(port), what="the server")

    assert server.returncode == 7


def test_nobody_is_nothing() -> None:
    """A process that has ended while it was looked at."""
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()

    assert processes._clock(ended.pid) == 0.0
    assert processes._waited_for(ended.pid) == 0.0
    assert processes._pss(ended.pid) == 0
