"""make bench: what the programs cost, beside floors that do the least that can be done, in the same run.

    .venv/bin/python tests/bench/run.py [--quick] [--write]

Every case is run once in each of several rounds, so that what else the machine does falls on all of them; a figure is the
median of the rounds.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
sys.path[0] = str(ROOT)

from tests.bench import instruments, report  # noqa: E402  where they are is known since the line before
from tests.bench.cases import CONNECT, DELIVER, HARVEST, Case, Site, cases  # noqa: E402
from tests.bench.figures import Sample, figures  # noqa: E402

MESSAGE_SIZE = 2048
AT_ONCE = {HARVEST: 50, DELIVER: 20, CONNECT: 50}
"""Sessions at the same time."""
BUSY = 0.9
"""Part of its processor that the generator uses when it, not the server, sets the rate."""


class Extent(NamedTuple):
    """How much is done.

    sessions  of a case in a round
    runs      of a program by itself in a round
    many      addresses in the larger database
    """

    rounds: int
    sessions: int
    runs: int
    many: int = 1_000_000


FULL = Extent(rounds=5, sessions=150, runs=75)
QUICK = Extent(rounds=2, sessions=60, runs=30)


def measure(case: Case, site: Site, extent: Extent) -> Sample:
    """Run one case once.

    Raises:
        BenchError: it did not do what it was to do.
    """
    log = site.place / "log"
    try:
        if case.group in AT_ONCE:
            sample = _sessions(case, site, extent.sessions * case.weight, log)
        else:
            sample = _alone(case, site, extent.runs * case.weight, log)
        check_log(case, log, sample.count)
    except instruments.BenchError as error:
        end = log.read_text("utf-8", "replace")[-1000:]
        raise instruments.BenchError(f"{case.group}: {case.name}: {error}\nits log ends:\n{end}") from error
    return sample


def _sessions(case: Case, site: Site, count: int, log: Path) -> Sample:
    at_once = AT_ONCE[case.group]
    with instruments.serving(site.place, case.argv, site.environment(case.environment), log, case.listener) as server:
        if case.source:
            instruments.smtp_source(server.port, count, at_once, MESSAGE_SIZE)
        else:
            seen = instruments.load(site.place, case.group, server.port, count, at_once)
    cpu, peak = server.used["cpu_s"], server.used["peak_kib"] / 1024
    if case.source:
        return Sample(count, cpu, peak, None, None, None)
    limited = seen["own_cpu_s"] / seen["seconds"] > BUSY
    return Sample(count, cpu, peak, count / seen["seconds"], seen["p50_ms"], seen["p99_ms"], limited)


def _alone(case: Case, site: Site, count: int, log: Path) -> Sample:
    used = instruments.cost(
        site.place, case.argv, site.environment(case.environment), log, runs=count, queue=(site.message, site.envelope))
    return Sample(count, used["cpu_s"], used["peak_kib"] / 1024, None, used["p50_ms"], used["p99_ms"])


def check_log(case: Case, log: Path, count: int) -> None:
    """Look at what the programs say themselves: so many lines of each kind, and nothing of a fault.

    Raises:
        BenchError: it is not so.
    """
    lines = log.read_text("utf-8", "replace").split("\n")
    for mark in case.marks:
        found = sum(line.startswith(mark) for line in lines)
        if found != count:
            raise instruments.BenchError(f"{found} log lines {mark!r} instead of {count}")
    faults = [line for line in lines if line.startswith(("fault ", "trouble ", "Traceback"))]
    if faults:
        raise instruments.BenchError(faults[0])


def show(text: str) -> None:
    """Say to a person who waits what goes on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure_all(rows: Sequence[Case], site: Site, extent: Extent) -> list[list[Sample]]:
    """All cases, in all rounds; the samples of each."""
    samples: list[list[Sample]] = [[] for _ in rows]
    for number in range(extent.rounds):
        for row, mine in zip(rows, samples, strict=True):
            show(f"round {number + 1} of {extent.rounds}: {row.group}: {row.name}")
            mine.append(measure(row, site, extent))
    return samples


def bench(extent: Extent) -> report.Run:
    """Set everything up in a directory that is removed again, and measure."""
    os.sched_setaffinity(0, {instruments.CLIENT})
    with tempfile.TemporaryDirectory(prefix="frontline-bench-", dir="/var/tmp") as directory:
        place = Path(directory)
        show("building the generator, the floors and the databases")
        instruments.build(place)
        site = Site(place, extent.many)
        rows = cases(site, extent.many)
        begun, busy = time.monotonic(), instruments.busy_seconds()
        samples = measure_all(rows, site, extent)
        seconds = time.monotonic() - begun
        others = instruments.busy_seconds() - busy - sum(sample.cpu_s for mine in samples for sample in mine)
        show("")
        return report.Run(
            figures=figures(rows, samples), seconds=seconds, others=max(0.0, others / seconds),
            filesystem=report.filesystem(place), rounds=extent.rounds, sessions=extent.sessions, runs=extent.runs)


def main() -> int:
    """Returns the exit code: 0; 1 when a run did not go as it should, and there are no figures."""
    parser = argparse.ArgumentParser(description="What the programs cost, beside floors, measured in one run.")
    parser.add_argument("--quick", action="store_true", help="less than a minute; figures vary by a tenth")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and docs/performance.svg, too")
    arguments = parser.parse_args()
    try:
        run = bench(QUICK if arguments.quick else FULL)
    except instruments.BenchError as error:
        show("")
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(report.table(run.figures))
    print(f"\n{report.surroundings(run)}")
    if arguments.write:
        report.write(run, ROOT / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
