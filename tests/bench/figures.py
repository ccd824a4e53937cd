"""From the samples of a case to the figures of its row."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.cases import Case


class Sample(NamedTuple):
    """A case, run once.

    count     sessions, or runs of the program
    cpu_s     user and system time of everything that the server started, of all sessions together
    peak_mib  resident set of the largest single process at its largest
    rate      sessions a second; None where the generator does not say, or nothing is served
    p50_ms, p99_ms  wall time of a session, while others go on beside it; of a program that runs alone, its own
    limited   the generator had no time left: the rate is its, not the server's
    """

    count: int
    cpu_s: float
    peak_mib: float
    rate: float | None
    p50_ms: float | None
    p99_ms: float | None
    limited: bool = False


class Figure(NamedTuple):
    """The medians of a case's samples, and how it stands to the floors of its group.

    cpu_ms   CPU milliseconds a session
    spread   the largest of the rounds over the smallest, less one
    over_c, over_python  times the floor
    held     whether the budget was held, None without one
    """

    case: Case
    cpu_ms: float
    spread: float
    over_c: float
    over_python: float
    peak_mib: float
    rate: float | None
    p50_ms: float | None
    p99_ms: float | None
    limited: bool
    held: bool | None


def figures(rows: Sequence[Case], samples: Sequence[Sequence[Sample]]) -> list[Figure]:
    """A Figure for each case; samples[i] are those of rows[i]."""
    milliseconds = [statistics.median(_each(mine)) for mine in samples]
    floors = {(row.group, row.floor): value for row, value in zip(rows, milliseconds, strict=True) if row.floor}
    return [
        Figure(
            case=row, cpu_ms=value, spread=max(_each(mine)) / min(_each(mine)) - 1,
            over_c=value / floors[row.group, "C"], over_python=value / floors[row.group, "Python"],
            peak_mib=(peak := max(sample.peak_mib for sample in mine)),
            rate=_median([sample.rate for sample in mine]), p50_ms=_median([sample.p50_ms for sample in mine]),
            p99_ms=_median([sample.p99_ms for sample in mine]), limited=any(sample.limited for sample in mine),
            held=(value <= row.budget[0] and peak <= row.budget[1]) if row.budget[0] else None)
        for row, value, mine in zip(rows, milliseconds, samples, strict=True)]


def _each(samples: Sequence[Sample]) -> list[float]:
    return [sample.cpu_s * 1000 / sample.count for sample in samples]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
