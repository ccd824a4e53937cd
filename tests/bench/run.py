"""make bench: what the programs cost, beside other servers and floors that do the least that can be done, in the same run.

    .venv/bin/python tests/bench/run.py [--quick] [--rounds N] [--only WORD] [--write]

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

ROOT = Path(__file__).parent.parent.parent
sys.path[0] = str(ROOT)

from tests.bench import instruments, report, tables  # noqa: E402  where they are is known since the line before
from tests.bench.case import FLOOD, IDLE, Case  # noqa: E402
from tests.bench.cases import cases  # noqa: E402
from tests.bench.figures import Sample, figures  # noqa: E402
from tests.bench.home import Site  # noqa: E402
from tests.bench.measures import Extent, measure  # noqa: E402

FULL = Extent(rounds=5, sessions=150, runs=75, mails=60)
QUICK = Extent(rounds=1, sessions=60, runs=30, mails=30, held=0.1)
ROUNDS = {IDLE: 1, FLOOD: 3}
"""Of groups that need fewer: memory is the same each time, and a flood is long."""


def show(text: str) -> None:
    """Say to a person who waits what goes on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure_all(rows: Sequence[Case], site: Site, extent: Extent) -> list[list[Sample]]:
    """All cases, in all rounds; the samples of each."""
    samples: list[list[Sample]] = [[] for _ in rows]
    for number in range(extent.rounds):
        for row, mine in zip(rows, samples, strict=True):
            if number >= ROUNDS.get(row.group, extent.rounds):
                continue
            show(f"round {number + 1} of {extent.rounds}: {row.group}: {row.name}")
            mine.append(measure(row, site, extent))
    return samples


def bench(extent: Extent, only: str = "") -> report.Run:
    """Set everything up in a directory that is removed again, and measure.

    only  a word that the group or the name of a row has, or the row is left out
    """
    os.sched_setaffinity(0, {instruments.CLIENT})
    with tempfile.TemporaryDirectory(prefix="frontline-bench-", dir="/var/tmp") as directory:
        place = Path(directory)
        show("building the generator, the floors and the databases")
        instruments.build(place)
        site = Site(place, extent.many)
        rows = [row for row in cases(site, extent.many) if only in f"{row.group} {row.name}"]
        begun, busy = time.monotonic(), instruments.busy_seconds()
        samples = measure_all(rows, site, extent)
        seconds = time.monotonic() - begun
        others = instruments.busy_seconds() - busy - sum(instruments.SPENT)
        show("")
        return report.Run(
            figures=figures(rows, samples), seconds=seconds, others=max(0.0, others / seconds),
            filesystem=report.filesystem(place), rounds=extent.rounds, sessions=extent.sessions, runs=extent.runs)


def main() -> int:
    """Returns the exit code: 0; 1 when a run did not go as it should, and there are no figures."""
    parser = argparse.ArgumentParser(description="What the programs cost, beside others and floors, measured in one run.")
    parser.add_argument("--quick", action="store_true", help="a minute and a half; figures vary by a tenth")
    parser.add_argument("--rounds", type=int, help="how often each row is measured")
    parser.add_argument("--only", default="", help="rows whose group or name has this word; nothing is written then")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and docs/performance.svg, too")
    arguments = parser.parse_args()
    extent = QUICK if arguments.quick else FULL
    if arguments.rounds:
        extent = extent._replace(rounds=arguments.rounds)
    try:
        run = bench(extent, arguments.only)
    except instruments.BenchError as error:
        show("")
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(tables.tables(run.figures))
    print(f"\n{report.surroundings(run)}")
    if arguments.write and not arguments.only:
        report.write(run, ROOT / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
