"""From the samples of a case to the figures of its row."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.case import Budget, Case

POSTFIX = "Postfix"


class Sample(NamedTuple):
    """A case, run once.

    count     sessions, runs of the program, good mails, or connections held
    cpu_s     user and system time of everything that the server did for them, of all together
    peak_mib  resident set of the largest single process at its largest
    rate      sessions a second; None where the generator does not say, or nothing is served
    p50_ms, p99_ms  wall time of a session, while others go on beside it; of a program that runs alone, its own
    limited   the generator had no time left: the rate is its, not the server's
    syncs     calls of fsync and its kin, a message
    kib, mib  memory for each connection that is held, and of the whole server with them
    """

    count: int
    cpu_s: float
    peak_mib: float
    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    limited: bool = False
    syncs: float | None = None
    kib: float | None = None
    mib: float | None = None


class Figure(NamedTuple):
    """The medians of a case's samples, and how it stands to the floors of its group.

    cpu_ms   CPU milliseconds a session
    spread   the largest of the rounds over the smallest, less one
    over_c, over_floor  times the floor: tcpserver with C, and the one that is made as it is; None without one
    times    its rate over Postfix's
    broken   the budgets that were not held
    """

    case: Case
    count: int
    cpu_ms: float
    spread: float
    over_c: float | None
    over_floor: float | None
    peak_mib: float
    rate: float | None
    p50_ms: float | None
    p99_ms: float | None
    limited: bool
    syncs: float | None
    kib: float | None
    mib: float | None
    times: float | None
    broken: tuple[Budget, ...] = ()


def figures(rows: Sequence[Case], samples: Sequence[Sequence[Sample]]) -> list[Figure]:
    """A Figure for each case; samples[i] are those of rows[i]."""
    medians = [statistics.median(_each(mine)) for mine in samples]
    floors = {(row.group, row.floor): value for row, value in zip(rows, medians, strict=True) if row.floor}
    postfix = {row.group: _median([each.rate for each in mine])
               for row, mine in zip(rows, samples, strict=True) if row.peer == POSTFIX}
    return [_judged(_figure(row, mine, floors, postfix.get(row.group))) for row, mine in zip(rows, samples, strict=True)]


def _figure(
        row: Case, mine: Sequence[Sample], floors: dict[tuple[str, str], float], postfix: float | None) -> Figure:
    each = _each(mine)
    value, rate = statistics.median(each), _median([sample.rate for sample in mine])
    c, beside = floors.get((row.group, "C")), floors.get((row.group, row.floor or row.beside))
    return Figure(
        case=row, count=mine[0].count, cpu_ms=value, spread=max(each) / min(each) - 1 if min(each) else 0.0,
        over_c=value / c if c else None, over_floor=value / beside if beside else None,
        peak_mib=max(sample.peak_mib for sample in mine), rate=rate,
        p50_ms=_median([sample.p50_ms for sample in mine]), p99_ms=_median([sample.p99_ms for sample in mine]),
        limited=any(sample.limited for sample in mine), syncs=_median([sample.syncs for sample in mine]),
        kib=_median([sample.kib for sample in mine]), mib=_median([sample.mib for sample in mine]),
        times=rate / postfix if rate and postfix else None)


def _judged(figure: Figure) -> Figure:
    """A budget for what could not be measured, on a machine without Postfix, is not judged."""
    found = [(budget, getattr(figure, budget.quantity)) for budget in figure.case.budgets]
    return figure._replace(broken=tuple(budget for budget, value in found if value is not None and not budget.held(value)))


def _each(samples: Sequence[Sample]) -> list[float]:
    return [sample.cpu_s * 1000 / sample.count for sample in samples]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
