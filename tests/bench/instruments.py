"""What measures: the C programs of this folder, built and run; a server and its clients each on a processor of their own."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TCPSERVER = "/usr/bin/tcpserver"
SMTP_SOURCE = "/usr/sbin/smtp-source"
SECONDS = 120
"""The most that one run may take."""

PROCESSORS = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = PROCESSORS[0], PROCESSORS[-1]


class BenchError(Exception):
    """A run that did not go as it should: its figures mean nothing."""


def build(place: Path) -> None:
    """Compile load, cost, replies and drain into a directory; the two that stand for a floor are linked statically."""
    for name, how in (("load", ()), ("cost", ()), ("replies", ("-static",)), ("drain", ("-static",))):
        subprocess.run(["gcc", "-O2", "-Wall", *how, "-o", place / name, HERE / f"{name}.c"], check=True)


def pinned(argv: Sequence[str | Path], processor: int, **more: Any) -> subprocess.Popen[str]:
    """Start a program on one processor; what it prints is read as text."""
    return subprocess.Popen(["taskset", "--cpu-list", str(processor), *map(str, argv)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **more)


class Server:
    """A tcpserver that has been started; used is what cost says of it, once it has ended.

    port  where it listens on 127.0.0.1
    used  runs, failed, cpu_s, peak_kib, p50_ms, p99_ms: see cost.c
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.used: dict[str, float] = {}


@contextmanager
def serving(
        place: Path, argv: Sequence[str | Path], environment: dict[str, str], log: Path, listener: bool = False,
) -> Iterator[Server]:
    """A program under tcpserver for the time of a with statement.

    listener  it is no program for tcpserver, but takes its place, with one worker

    tcpserver finds a free port and prints it, so no session is spent on finding out whether it is there.  When the statement
    ends, cost waits for the sessions that still run, and only then adds up.

    Raises:
        BenchError: it does not start.
    """
    options = ["-1", "-DHRl", "mx.bench.test", "-c", 200, "-b", 1024]
    command = [place / "cost", 1, TCPSERVER, *options, "127.0.0.1", 0, *argv]
    if listener:
        command = [place / "cost", 1, *argv, *options, "--workers", 1, "127.0.0.1", 0]
    with log.open("wb") as output:
        process = pinned(command, SERVER, env=environment, stderr=output)
    assert process.stdout
    try:
        line = process.stdout.readline().strip()
        if not line.isdigit():
            raise BenchError("tcpserver did not start")
        server = Server(int(line))
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=SECONDS)
    server.used = json.loads(rest)


def load(place: Path, workload: str, port: int, sessions: int, at_once: int) -> dict[str, Any]:
    """Run the generator; returns what load.c prints.

    Raises:
        BenchError: a session did not go to its end as it should.
    """
    command = [place / "load", "-w", workload, "-p", port, "-c", at_once, "-n", sessions, "-t", SECONDS]
    process = pinned(command, CLIENT)
    result: dict[str, Any] = json.loads(process.communicate(timeout=SECONDS + 10)[0])
    if process.returncode:
        raise BenchError(f"{result['sessions']} of {sessions} sessions, {result['codes']}, {result['errors']}")
    return result


def smtp_source(port: int, messages: int, at_once: int, size: int) -> None:
    """Let Postfix's generator deliver messages of size bytes, a session each.

    Raises:
        BenchError: not every message was taken.
    """
    process = pinned([SMTP_SOURCE, "-4", "-s", at_once, "-m", messages, "-l", size, "-f", "sender@client.test",
                      "-t", "good@bench.test", f"127.0.0.1:{port}"], CLIENT, stderr=subprocess.STDOUT)
    said, _ = process.communicate(timeout=SECONDS)
    if process.returncode:
        raise BenchError(f"smtp-source: {said}")


def cost(place: Path, argv: Sequence[str | Path], environment: dict[str, str], log: Path, *,
         runs: int, queue: tuple[Path, Path]) -> dict[str, float]:
    """Run a program so many times as a QMAILQUEUE program, with a message and an envelope; returns what cost.c prints.

    Raises:
        BenchError: one of the runs did not exit 0.
    """
    with log.open("wb") as output:
        process = pinned([place / "cost", "-q", *queue, runs, *argv], SERVER, env=environment, stderr=output)
    used: dict[str, float] = json.loads(process.communicate(timeout=SECONDS)[0])
    if process.returncode:
        raise BenchError(f"{used['failed']:.0f} of {runs} runs failed")
    return used


def busy_seconds(processor: int = SERVER) -> float:
    """How long the processor has worked for anybody since the machine was started."""
    line = next(each for each in Path("/proc/stat").read_text().split("\n") if each.startswith(f"cpu{processor} "))
    user, nice, system, _idle, _wait, hard, soft = (int(word) for word in line.split()[1:8])
    return (user + nice + system + hard + soft) / os.sysconf("SC_CLK_TCK")
