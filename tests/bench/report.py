"""The figures for people: the table, docs/performance.md around it, and the picture beside it."""

import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import instruments, plot
from tests.bench.cases import TITLES
from tests.bench.figures import Figure


class Run(NamedTuple):
    """A whole run.

    seconds     how long the measuring took
    others      part of the server's processor that was spent on anything but what was measured, 0 to 1
    filesystem  that the spool was on
    """

    figures: Sequence[Figure]
    seconds: float
    others: float
    filesystem: str
    rounds: int
    sessions: int
    runs: int


QUIET = 0.05
"""Part of the server's processor that other things may take."""
HEADINGS = ("", "CPU ms", "spread", "/ C", "/ Python", "peak MiB", "a second", "p50 ms", "p99 ms", "budget", "")


def table(figures: Sequence[Figure]) -> str:
    """As Markdown that is a table in a terminal, too."""
    lines = [HEADINGS]
    for group, title in TITLES.items():
        lines.append((f"**{title}**", *[""] * (len(HEADINGS) - 1)))
        lines += [_row(each) for each in figures if each.case.group == group]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    lines.insert(1, tuple("-" * width if i in (0, 9, 10) else "-" * (width - 1) + ":" for i, width in enumerate(widths)))
    return "\n".join(f"| {' | '.join(_padded(line, widths))} |" for line in lines)


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [text.ljust(width) if i in (0, 9, 10) else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))]


def _row(each: Figure) -> tuple[str, ...]:
    milliseconds, mebibytes = each.case.budget
    return (
        each.case.name, f"{each.cpu_ms:.2f}", f"{each.spread:.0%}", f"{each.over_c:.1f}", f"{each.over_python:.2f}",
        f"{each.peak_mib:.1f}", _number(each.rate, 0) + ("†" if each.limited else ""), _number(each.p50_ms, 1),
        _number(each.p99_ms, 1), f"{milliseconds:g} ms, {mebibytes:g} MiB" if milliseconds else "",
        {None: "", True: "held", False: "not held"}[each.held])


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def surroundings(run: Run) -> str:
    """Where and when, a line each."""
    cores = len(instruments.PROCESSORS)
    apart = (f"server on processor {instruments.SERVER}, clients on {instruments.CLIENT}" if cores > 1 else
             "server and clients on the one processor: sessions a second mean little")
    extent = f"{run.rounds} rounds of {run.sessions} sessions or {run.runs} runs of a program, {run.seconds:.0f} seconds"
    versions = f"tcpserver of ucspi-tcp {_version('ucspi-tcp')}, smtp-source of Postfix {_version('postfix')}"
    return "\n".join((
        f"- Date: {time.strftime('%Y-%m-%d')}; {extent}",
        f"- Machine: {_processor()}, {cores} processors, Linux {platform.release()}; {apart}",
        f"- Software: Python {platform.python_version()}; {versions}; the spool on {run.filesystem}",
        f"- Meanwhile {run.others:.0%} of the server's processor went to other things than what was measured{_warning(run)}"))


def _warning(run: Run) -> str:
    return " (too much: the figures are too high, compare them only with each other)" if run.others > QUIET else ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().split("\n")
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    return _said("dpkg-query", "--show", "--showformat=${Version}", package) or "(not a Debian package)"


def _said(*command: str | Path) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()


def filesystem(place: Path) -> str:
    """The type of the file system that a directory is on."""
    return _said("stat", "--file-system", "--format=%T", place)


TEXT = """\
# Performance

What the programs cost that are started for each connection and each message. `make bench` writes this page; run it on your
own machine.

![CPU milliseconds, ours beside the floors](performance.svg)

{surroundings}

{table}

**CPU ms** is user and system time per session of everything that was started for it: tcpserver's share, the program, and the
queue program where one runs. It is the figure to compare. Sessions a second and the milliseconds that a client waits follow
from it and from the number of clients at once (50; 20 when mail is delivered). A figure is the median of the rounds;
**spread** is how far the largest round lies above the smallest. **/ C** and **/ Python** are multiples of the floors of the
same group in the same run: on a machine that has other things to do all rows become dearer, by half even, and these stay.
**peak MiB** is the resident set of the largest single process, shared libraries included. † the generator, not the server, set
the rate. A **budget** is what we allow ourselves.

The **floors** do what cannot be left out: tcpserver starts a program for the session, and that gives fixed replies, without
looking anything up, without a log. One is in C and linked statically; the other is `python3 -I -S -c`, which imports nothing.
What lies between that one and ours is the price of what ours does. Our programs do not import their modules one by one, as the
last group shows it: `make install` packs them (`tools/pack.py`).

How it is measured: `tests/bench/run.py`. The server is a real tcpserver with the launchers as they are installed, its log goes
to a file, the existing recipients stand in a validrcptto.cdb, BRTLIMIT is 0. The generator, `tests/bench/load.c`, knows which
code each command is to be answered with; one wrong reply, one log line of a fault, or one line too few, and there are no
figures at all. `tests/bench/cost.c` starts the server and adds up, by wait4(2), what it and all that it started have used,
when the last of them has ended.
"""


def write(run: Run, directory: Path) -> None:
    """Write performance.md and performance.svg."""
    text = TEXT.format(surroundings=surroundings(run), table=table(run.figures))
    (directory / "performance.md").write_text(text)
    (directory / "performance.svg").write_text(plot.bars(run.figures))
