"""The figures for people: docs/performance.md around the tables, and the picture beside it."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tests.bench import instruments, plot, tables
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


PAGE = Path(__file__).parent / "page.txt"
"""What stands around the tables."""
QUIET = 0.05
"""Part of the server's processor that other things may take."""


def surroundings(run: Run) -> str:
    """Where and when, a line each."""
    cores = len(instruments.PROCESSORS)
    apart = (f"server on processor {instruments.SERVER}, clients on {instruments.CLIENT}" if cores > 1 else
             "server and clients on the one processor: sessions a second mean little")
    extent = f"{run.rounds} rounds of {run.sessions} sessions at least, {run.runs} runs of a program; {run.seconds:.0f} seconds"
    versions = f"uvloop {metadata.version('uvloop')}, tcpserver of ucspi-tcp {_version('ucspi-tcp')}"
    return "\n".join((
        f"- Date: {time.strftime('%Y-%m-%d')}; {extent}",
        f"- Machine: {_processor()}, {cores} processors, Linux {platform.release()}; {apart}",
        f"- Software: Python {platform.python_version()}; {versions}; the spool on {run.filesystem}",
        *(["- Without Postfix, which only root can start"] if os.getuid() else []),
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


def _page(run: Run) -> str:
    return PAGE.read_text().format(
        surroundings=surroundings(run), tables=tables.tables(run.figures), mailfront=_version("mailfront"),
        postfix=_version("postfix"), aiosmtpd=metadata.version("aiosmtpd"))


def write(run: Run, directory: Path) -> None:
    """Write performance.md and performance.svg."""
    (directory / "performance.md").write_text(_page(run))
    (directory / "performance.svg").write_text(plot.picture(run.figures))
