"""make bench, its second half: what grows, and with what: connections held, recipients that exist, rules.

    .venv/bin/python tests/bench/growth.py [--quick] [--write]
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
sys.path[0] = str(ROOT)

from tests.bench import growthplot, instruments, measures, processes, report  # noqa: E402  known since the line before
from tests.bench.case import HARVEST, LISTENER, PER_SESSION, TCPSERVER, Case  # noqa: E402
from tests.bench.growthplot import Line, Point  # noqa: E402
from tests.bench.home import Site, write_addresses  # noqa: E402
from tests.bench.run import show  # noqa: E402

HELD = (100, 1_000, 10_000)
RECIPIENTS = (1_000, 100_000, 10_000_000)
RULES = (10, 100, 1_000)

KINDS = {
    "of client, HELO and sender": '!relay & null-sender & helo-oneword refuse "{}"\n',
    "of the recipient": "rcpt > 1000000 & badrcpt > {} refuse\n",
    "of the message": 'size > 1000000 & mime-mixed refuse "{}"\n',
}
"""Rules that never hold in a harvest: they are read, and nothing follows."""
AT_ONCE = 50


class Extent(NamedTuple):
    """How much is done.

    sessions  of each row in a round; the listener, which is quick, gets `weight` times as many
    part      of the numbers that are held and exist
    """

    rounds: int
    sessions: int
    weight: int
    part: float = 1.0


FULL = Extent(rounds=3, sessions=40, weight=10)
QUICK = Extent(rounds=1, sessions=20, weight=5, part=0.01)


class Measured(NamedTuple):
    """cpu_ms  of a harvest session; kib: of the worker for each connection; mib: of the largest process at its peak"""

    cpu_ms: float
    kib: float = 0.0
    mib: float = 0.0


class Row(NamedTuple):
    """What is measured: of a number of things, by a server."""

    table: str
    what: str
    number: int
    measure: Callable[[], Measured]


class Growth:
    """All rows, in a site of their own."""

    def __init__(self, site: Site, extent: Extent) -> None:
        self.site = site
        self.extent = extent
        self.rows = [*self._held(), *self._recipients(), *self._rules()]

    def _held(self) -> list[Row]:
        def row(number: int) -> Row:
            return Row("held", "qsmtpd-listen", number, lambda: self.held(number))

        return [row(number) for number in self._parts(HELD)]

    def _parts(self, numbers: Sequence[int]) -> list[int]:
        return [max(1, int(number * self.extent.part)) for number in numbers]

    def _recipients(self) -> list[Row]:
        rows = []
        for number in self._parts(RECIPIENTS):
            show(f"building a database of {number:,} addresses")
            control = self._control(f"recipients-{number}")
            write_addresses(control / "validrcptto.cdb", number)
            rows += self._both("recipients", "", number, control)
        return rows

    def _rules(self) -> list[Row]:
        rows = []
        for kind, rule in KINDS.items():
            for number in RULES:
                control = self._control(f"rules-{number}-{kind[-9:].strip()}")
                (control / "rules").write_text("".join(rule.format(10**6 + each) for each in range(number)))
                rows += self._both("rules", f", {kind}", number, control)
        return rows

    def _control(self, name: str) -> Path:
        return Path(shutil.copytree(self.site.home / "control", self.site.home / name))

    def _both(self, table: str, kind: str, number: int, control: Path) -> list[Row]:
        def row(program: str, how: str, weight: int) -> Row:
            case = Case(HARVEST, f"{table} {number}", [self.site.bin / program], {"CONTROLDIR": str(control)},
                        how=how, weight=weight, marks=(PER_SESSION,))
            return Row(table, f"{program}{kind}", number, lambda: self.harvest(case))

        return [row("qsmtpd-listen", LISTENER, self.extent.weight), row("qsmtpd", TCPSERVER, 1)]

    def harvest(self, case: Case) -> Measured:
        """Sessions that guess names, by a program and a control directory."""
        extent = measures.Extent(rounds=1, sessions=self.extent.sessions, runs=1, mails=1)
        sample = measures.measure(case, self.site, extent)
        return Measured(sample.cpu_s / sample.count * 1000, mib=sample.peak_mib)

    def held(self, number: int) -> Measured:
        """The same beside connections that wait; and what these take."""
        case = Case(HARVEST, "held", [self.site.bin / "qsmtpd-listen"], how=LISTENER)
        log, count = self.site.place / "log", self.extent.sessions * self.extent.weight
        with measures.serve(case, self.site, log, number + 2 * AT_ONCE) as serving:
            assert serving.living
            pid, port, place = serving.living.pid, serving.port, self.site.place
            instruments.load(place, HARVEST, port, measures.WARM, AT_ONCE)
            processes.at_rest(pid)
            before = processes.pss_kib(pid)
            with instruments.beside(place, "idle", port, number, number):
                used = processes.at_rest(pid)
                kib = (processes.pss_kib(pid) - before) / number
                instruments.load(place, HARVEST, port, count, AT_ONCE)
                cpu = processes.at_rest(pid) - used
        measures.check_log(case, log, None)
        return Measured(cpu / count * 1000, kib)


class Figures(NamedTuple):
    """The medians of each row; seconds it took; part of the server's processor that others had; rounds."""

    rows: Sequence[tuple[Row, Measured]]
    seconds: float
    others: float
    extent: Extent


def medians(samples: Sequence[Measured]) -> Measured:
    """Of each quantity by itself."""
    return Measured(*(statistics.median(values) for values in zip(*samples, strict=True)))


def measure(extent: Extent) -> Figures:
    """Set everything up in a directory that is removed again, and measure."""
    os.sched_setaffinity(0, {instruments.CLIENT})
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="frontline-growth-", dir="/var/tmp") as directory:
        place = Path(directory)
        show("building the generator and the databases")
        instruments.build(place)
        growth = Growth(Site(place, 10), extent)
        since, busy, spent = time.monotonic(), instruments.busy_seconds(), sum(instruments.SPENT)
        samples: list[list[Measured]] = [[] for _ in growth.rows]
        for number in range(extent.rounds):
            for row, mine in zip(growth.rows, samples, strict=True):
                show(f"round {number + 1} of {extent.rounds}: {row.number:,} {row.table}: {row.what}")
                mine.append(row.measure())
        others = instruments.busy_seconds() - busy - (sum(instruments.SPENT) - spent)
        show("")
    rows = [(row, medians(mine)) for row, mine in zip(growth.rows, samples, strict=True)]
    return Figures(rows, time.monotonic() - begun, max(0.0, others / (time.monotonic() - since)), extent)


def surroundings(figures: Figures) -> str:
    """Where and when, a line each."""
    too_much = " (too much: the figures are too high)" if figures.others > report.QUIET else ""
    return "\n".join((
        f"- Date: {time.strftime('%Y-%m-%d')}; {figures.extent.rounds} rounds, {figures.seconds:.0f} seconds",
        f"- Machine: {report._processor()}, {len(instruments.PROCESSORS)} processors, Linux {platform.release()}",
        f"- Software: Python {platform.python_version()}, uvloop {metadata.version('uvloop')}",
        f"- Meanwhile {figures.others:.0%} of the server's processor went to other things than what was measured{too_much}"))


def table(lines: Sequence[Sequence[str]]) -> str:
    """As Markdown: a heading, and rows whose figures are aligned."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [[line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))]
              for line in (lines[0], rule, *lines[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def tables(figures: Figures) -> dict[str, str]:
    """Name: the table."""
    def of(name: str) -> list[tuple[Row, Measured]]:
        return [(row, measured) for row, measured in figures.rows if row.table == name]

    held = [("connections held", "CPU ms a harvest session", "KiB for each that is held")]
    held += [(f"{row.number:,}", f"{found.cpu_ms:.3f}", f"{found.kib:.1f}") for row, found in of("held")]
    return {"held": table(held), "recipients": _by_number(of("recipients"), "recipients that exist", memory=True),
            "rules": _by_number(of("rules"), "rules", memory=False)}


def _by_number(rows: Sequence[tuple[Row, Measured]], heading: str, *, memory: bool) -> str:
    numbers = sorted({row.number for row, _ in rows})
    names = list(dict.fromkeys(row.what for row, _ in rows))
    found = {(row.what, row.number): measured for row, measured in rows}
    lines = [(f"CPU ms a harvest session with so many {heading}", *(f"{number:,}" for number in numbers))]
    lines += [(name, *(f"{found[name, number].cpu_ms:.3f}" for number in numbers)) for name in names]
    if memory:
        lines += [(f"{name}: MiB at its peak", *(f"{found[name, number].mib:.1f}" for number in numbers)) for name in names]
    return table(lines)


def lines(figures: Figures) -> list[Line]:
    """For the picture."""
    titles = {"held": "connections held", "recipients": "recipients that exist", "rules": "rules"}
    names = dict.fromkeys((row.table, row.what) for row, _ in figures.rows)
    return [Line(titles[name], what, [Point(row.number, found.cpu_ms) for row, found in figures.rows
                                      if (row.table, row.what) == (name, what)]) for name, what in names]


PAGE = Path(__file__).parent / "growth.txt"
"""What stands around the tables."""


def write(figures: Figures, directory: Path) -> None:
    """Write growth.md and growth.svg."""
    (directory / "growth.md").write_text(PAGE.read_text().format(surroundings=surroundings(figures), **tables(figures)))
    (directory / "growth.svg").write_text(growthplot.picture(lines(figures)))


def main() -> int:
    """Returns the exit code: 0; 1 when a run did not go as it should, and there are no figures."""
    parser = argparse.ArgumentParser(description="How cost grows with connections held, recipients that exist, and rules.")
    parser.add_argument("--quick", action="store_true", help="a hundredth of it, to see that it works")
    parser.add_argument("--write", action="store_true", help="write docs/growth.md and docs/growth.svg, too")
    parser.add_argument("--into", type=Path, default=ROOT / "docs", help="write them there")
    arguments = parser.parse_args()
    try:
        figures = measure(QUICK if arguments.quick else FULL)
    except instruments.BenchError as error:
        show("")
        print(f"growth: {error}", file=sys.stderr)
        return 1
    print("\n\n".join((*tables(figures).values(), surroundings(figures))))
    if arguments.write:
        write(figures, arguments.into)
    return 0


if __name__ == "__main__":
    sys.exit(main())
