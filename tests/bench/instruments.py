"""What measures: the C programs of this folder, built and run; a server and its clients each on a processor of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import processes
from tests.servers import wait_until

HERE = Path(__file__).parent
TCPSERVER = "/usr/bin/tcpserver"
SMTP_SOURCE = "/usr/sbin/smtp-source"
SECONDS = 120
"""The most that one run may take."""
START_SECONDS = 15
SPENT: list[float] = []
"""CPU seconds of each server and program so far, all that they started included."""
LIMIT = 200
"""Connections at once, where no more are asked for."""

PROCESSORS = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = PROCESSORS[0], PROCESSORS[-1]


class BenchError(Exception):
    """A run that did not go as it should: its figures mean nothing."""


def build(place: Path) -> None:
    """Compile load, cost, replies, drain, and syncs.so; the two that stand for a floor are linked statically."""
    for name, *how in (("load",), ("cost",), ("replies", "-static"), ("drain", "-static"), ("syncs.so", "-shared", "-fPIC")):
        source = (HERE / name).with_suffix(".c")
        subprocess.run(["gcc", "-O2", "-Wall", *how, "-o", place / name, source], check=True)


def pinned(argv: Sequence[str | Path], processor: int, **more: Any) -> subprocess.Popen[str]:
    """Start a program on one processor; what it prints is read as text."""
    return subprocess.Popen(["taskset", "--cpu-list", str(processor), *map(str, argv)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **more)


class Server:
    """A server that has been started; used is what cost says of it and all that it started, once it has ended.

    port  where it listens on 127.0.0.1
    pid   cost's, whose child it is
    used  runs, failed, cpu_s, peak_kib, p50_ms, p99_ms: see cost.c
    """

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.used: dict[str, float] = {}


def tcpserver(argv: Sequence[str | Path], limit: int = LIMIT) -> list[str | Path]:
    """A program under tcpserver, which finds a free port and prints it."""
    return [TCPSERVER, *_options(limit), "127.0.0.1", "0", *argv]


def listener(argv: Sequence[str | Path], limit: int = LIMIT) -> list[str | Path]:
    """qsmtpd-listen in tcpserver's place, with one worker."""
    return [*argv, *_options(limit), "--per-net", str(limit), "--workers", "1", "127.0.0.1", "0"]


def _options(limit: int) -> list[str]:
    return ["-1", "-DHRl", "mx.bench.test", "-c", str(limit), "-b", "1024"]


@contextmanager
def serving(place: Path, argv: Sequence[str | Path], environment: dict[str, str], log: Path) -> Iterator[Server]:
    """A program under tcpserver for the time of a with statement; errors as of started()."""
    with started(place, tcpserver(argv), environment, log) as server:
        yield server


@contextmanager
def started(
        place: Path, command: Sequence[str | Path], environment: dict[str, str], log: Path, port: int = 0,
) -> Iterator[Server]:
    """A server for the time of a with statement, from when it listens.

    port  where it will listen; 0: it prints that

    When the statement ends, cost waits for the sessions that still run, and only then adds up.

    Raises:
        BenchError: it does not start.
    """
    log.write_bytes(b"")
    with log.open("ab") as output:  # others may write into it, too
        process = pinned([place / "cost", 1, *command], SERVER, env=environment, stderr=output)
    try:
        server = Server(port or _printed(process), process.pid)
        wait_until(lambda: processes.listens(server.port), START_SECONDS, f"{command[0]} at its port")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=SECONDS)
        used = json.loads(rest) if rest else {}
        SPENT.append(used.get("cpu_s", 0.0))
    server.used = used


def _printed(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    line = process.stdout.readline().strip()
    if not line.isdigit():
        raise BenchError("the server did not start")
    return int(line)


def load(place: Path, workload: str, port: int, sessions: int, at_once: int, *options: str) -> dict[str, Any]:
    """Run the generator to its end; returns what load.c prints.

    options  more of its options

    Raises:
        BenchError: a session did not go to its end as it should.
    """
    process = _generator(place, workload, port, "-n", sessions, "-c", at_once, *options)
    return _heard(process)


class Background:
    """A generator that runs beside what is measured; result is what load.c prints, once it has ended."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}


@contextmanager
def beside(place: Path, workload: str, port: int, sessions: int, at_once: int, *options: str) -> Iterator[Background]:
    """A generator for the time of a with statement; the sessions that it has begun go to their ends.

    idle: when the statement begins, all connections are there.  Errors as of load().
    """
    process = _generator(place, workload, port, "-n", sessions, "-c", at_once, *options)
    assert process.stdout
    background = Background()
    first = process.stdout.readline() if workload == "idle" else ""
    try:
        yield background
    finally:
        process.send_signal(signal.SIGTERM)
        background.result = _heard(process, first)


def _generator(place: Path, workload: str, port: int, *options: object) -> subprocess.Popen[str]:
    return pinned([place / "load", "-w", workload, "-p", str(port), "-t", str(SECONDS), *map(str, options)], CLIENT)


def _heard(process: subprocess.Popen[str], first: str = "") -> dict[str, Any]:
    rest, _ = process.communicate(timeout=SECONDS + 10)
    said = first + rest
    if not said:
        raise BenchError("the generator said nothing")
    result: dict[str, Any] = json.loads(said.split("\n")[-2])
    if process.returncode:
        raise BenchError(f"{result['sessions']} sessions went to their ends, {result['codes']}, {result['errors']}")
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
    SPENT.append(used["cpu_s"])
    if process.returncode:
        raise BenchError(f"{used['failed']:.0f} of {runs} runs failed")
    return used


def counting(place: Path) -> dict[str, str]:
    """The environment of a server whose syncs are to be counted, from 0 on; see syncs.c."""
    calls = place / "syncs"
    calls.write_bytes(bytes(8))
    calls.chmod(0o666)  # Postfix becomes its own user
    return {"LD_PRELOAD": str(place / "syncs.so"), "SYNCS": str(calls)}


def counted(place: Path) -> int:
    """How many there were."""
    return int.from_bytes((place / "syncs").read_bytes(), sys.byteorder)


def busy_seconds(processor: int = SERVER) -> float:
    """How long the processor has worked for anybody since the machine was started."""
    line = next(each for each in Path("/proc/stat").read_text().split("\n") if each.startswith(f"cpu{processor} "))
    user, nice, system, _idle, _wait, hard, soft = (int(word) for word in line.split()[1:8])
    return (user + nice + system + hard + soft) / os.sysconf("SC_CLK_TCK")
