"""The instruments: the generator counts right and stays on this machine, and cost finds the CPU time that was spent."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench import instruments
from tests.bench.home import Site

SESSIONS = 4
BURN = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): pass\n"
"""Python that uses so many seconds of CPU time, by its own account."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with load, cost, replies and drain."""
    place = tmp_path_factory.mktemp("bench")
    instruments.build(place)
    return place


@pytest.fixture(scope="module")
def site(built: Path) -> Site:
    return Site(built, 2000)


@contextmanager
def served(site: Site, log: Path) -> Iterator[instruments.Server]:
    """qsmtpd under tcpserver."""
    with instruments.serving(site.place, [site.bin / "qsmtpd"], site.environment(), log) as server:
        yield server


@pytest.mark.parametrize(("workload", "codes"), [
    ("harvest", {"220": 1, "250": 2, "550": 20, "221": 1}),
    ("deliver", {"220": 1, "250": 4, "354": 1, "221": 1}),
    ("connect", {"220": 1, "221": 1}),
])
def test_every_reply_is_counted(site: Site, tmp_path: Path, workload: str, codes: dict[str, int]) -> None:
    """By the generator, and in qsmtpd's own log."""
    log = tmp_path / "log"
    with served(site, log) as server:
        result = instruments.load(site.place, workload, server.port, SESSIONS, 2)

    assert result["sessions"] == SESSIONS
    assert result["codes"] == {code: count * SESSIONS for code, count in codes.items()}
    assert set(result["errors"].values()) == {0}
    assert 0 < result["p50_ms"] <= result["p99_ms"]
    lines = log.read_text().split("\n")
    assert sum(line.startswith("session ") and " verdict=quit " in line for line in lines) == SESSIONS
    assert sum(line.startswith("rcpt ") and " is=invalid " in line for line in lines) == codes.get("550", 0) * SESSIONS


def test_recipients_are_never_the_same(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(site, log) as server:
        instruments.load(site.place, "harvest", server.port, SESSIONS, 2)
    asked = [line.split(" to=")[1].split()[0] for line in log.read_text().split("\n") if line.startswith("rcpt ")]

    assert len(set(asked)) == len(asked) == 20 * SESSIONS


def test_a_wrong_reply_is_an_error(site: Site, tmp_path: Path) -> None:
    """Sessions that are refused early do not pass for fast ones."""
    environment = site.environment({"BRTLIMIT": "3"})
    with instruments.serving(site.place, [site.bin / "qsmtpd"], environment, tmp_path / "log") as server:
        done, result = run_load(site.place, "-w", "harvest", "-p", str(server.port), "-n", "2")

    assert done == 1
    assert result["sessions"] == 0
    assert sum(result["errors"].values()) == 2


def test_another_refusal_is_said_beforehand(site: Site, tmp_path: Path) -> None:
    """A server that says 553 has to be known as one."""
    with served(site, tmp_path / "log") as server:
        done, result = run_load(site.place, "-w", "harvest", "-p", str(server.port), "-n", "1", "-r", "553")

    assert done == 1
    assert result["errors"]["unexpected"] == 1


def test_sessions_begin_when_they_are_due(site: Site, tmp_path: Path) -> None:
    """Each 100 ms one, though each takes longer."""
    program = [sys.executable, "-I", "-S", "-c", "import time; print('220 x', flush=True); time.sleep(0.3); print('221 x')"]
    with instruments.serving(site.place, program, {}, tmp_path / "log") as server:
        result = instruments.load(site.place, "connect", server.port, 5, 5, "-i", "100")

    assert 0.7 < result["seconds"] < 2
    assert result["sessions"] == 5


def test_connections_are_held(site: Site, tmp_path: Path) -> None:
    """All are there when the statement begins, and end as they should."""
    log = tmp_path / "log"
    with served(site, log) as server:
        with instruments.beside(site.place, "idle", server.port, 5, 5) as held:
            assert log.read_text().count("session ") == 0
        assert held.result["codes"] == {"220": 5, "250": 5, "221": 5}

    assert log.read_text().count("verdict=quit") == 5


def test_what_runs_beside_ends_in_order(site: Site, tmp_path: Path) -> None:
    """No session is cut off."""
    log = tmp_path / "log"
    with served(site, log) as server, instruments.beside(site.place, "harvest", server.port, 10_000, 3) as harvest:
        instruments.load(site.place, "deliver", server.port, 2, 1)
    sessions = harvest.result["sessions"]

    assert sessions < 10_000
    assert harvest.result["codes"]["550"] == 20 * sessions
    assert log.read_text().count("verdict=quit") == sessions + 2


def test_a_wrong_reply_beside_is_an_error(site: Site, tmp_path: Path) -> None:
    environment = site.environment({"BRTLIMIT": "3"})
    with (instruments.serving(site.place, [site.bin / "qsmtpd"], environment, tmp_path / "log") as server,
          pytest.raises(instruments.BenchError, match="unexpected"),
          instruments.beside(site.place, "harvest", server.port, 2, 2)):
        time.sleep(1)


def test_nobody_there_is_an_error(site: Site, tmp_path: Path) -> None:
    with served(site, tmp_path / "log") as server:
        pass
    done, result = run_load(site.place, "-w", "connect", "-p", str(server.port), "-n", "3")

    assert done == 1
    assert result["errors"]["refused"] == 3


def run_load(place: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and what it printed."""
    done = subprocess.run([place / "load", *arguments], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


@pytest.mark.parametrize("arguments", [
    ["-a", "192.0.2.1"], ["-a", "128.0.0.1"], ["-a", "localhost"], ["-a", "0.0.0.0"],
    ["-n", "100001"], ["-c", "20001"], ["-t", "601"], ["-w", "flood"],
])
def test_only_this_machine_and_always_an_end(built: Path, arguments: list[str]) -> None:
    command = [built / "load", "-w", "connect", "-p", "25", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage" in done.stderr


def used(built: Path, *arguments: str) -> dict[str, float]:
    """What cost says of a program."""
    done = subprocess.run([built / "cost", *arguments], capture_output=True, text=True, check=True, timeout=30)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def test_cpu_time_is_found(built: Path) -> None:
    """Of every run; the start of an interpreter comes on top, and counts for less than 0.3 s."""
    result = used(built, "3", sys.executable, "-I", "-S", "-c", BURN, "0.2")

    assert result["runs"] == 3
    assert 0.6 * 0.97 < result["cpu_s"] < 0.6 + 3 * 0.3


def test_sleep_is_no_cpu_time(built: Path) -> None:
    result = used(built, "1", "/bin/sleep", "0.5")

    assert result["cpu_s"] < 0.2
    assert result["p50_ms"] >= 500


def test_cpu_time_of_children_is_found(built: Path) -> None:
    """Of those that the program waits for, and of one that it leaves behind."""
    burn = f'{sys.executable} -I -S -c "$1" 0.2'
    result = used(built, "1", "/bin/sh", "-c", f"{burn}; (sleep 0.3; {burn}) & exit 0", "sh", BURN)

    assert 0.4 * 0.97 < result["cpu_s"] < 0.4 + 3 * 0.3


def test_cpu_time_of_sessions_is_found(built: Path, tmp_path: Path) -> None:
    """Those that tcpserver has started, however it ends."""
    greeting = "import posix; posix.write(1, b'220 x\\r\\n'); posix.read(0, 99); posix.write(1, b'221 x\\r\\n')\n"
    argv = [sys.executable, "-I", "-S", "-c", greeting + BURN, "0.2"]
    with instruments.serving(built, argv, {}, tmp_path / "log") as server:
        instruments.load(built, "connect", server.port, 3, 3)

    assert 0.6 * 0.97 < server.used["cpu_s"] < 0.6 + 4 * 0.3


def test_memory_is_the_largest_process(built: Path) -> None:
    """Not ours, who started it: a small program is small."""
    large = used(built, "1", sys.executable, "-I", "-S", "-c", "b = bytearray(64 << 20)")
    small = used(built, "1", "/bin/true")

    assert 64 << 10 < large["peak_kib"] < 96 << 10
    assert small["peak_kib"] < 8 << 10


def test_a_queue_program_gets_message_and_envelope(site: Site, tmp_path: Path) -> None:
    given = tmp_path / "given"
    program = ("/bin/sh", "-c", f"cat - >{given}; cat <&1 >>{given}")
    result = used(site.place, "-q", str(site.message), str(site.envelope), "1", *program)

    assert result["failed"] == 0
    assert given.read_bytes() == site.message.read_bytes() + site.envelope.read_bytes()


def test_failure_is_told(built: Path) -> None:
    done = subprocess.run([built / "cost", "2", "/bin/false"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert json.loads(done.stdout)["failed"] == 2
