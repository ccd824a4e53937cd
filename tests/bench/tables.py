"""The tables, as Markdown that is a table in a terminal, too."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.bench.case import CONNECT, DELIVER, DISK, FLOOD, HARVEST, IDLE, MESSAGE, START, TITLES
from tests.bench.figures import Figure


class Column(NamedTuple):
    """A heading, and what stands below it in the row of a figure."""

    heading: str
    text: Callable[[Figure], str]
    left: bool = False


def number(value: float | None, digits: int = 0) -> str:
    """With so many digits behind the point; empty where there is none."""
    return "" if value is None else f"{value:,.{digits}f}"


def verdict(each: Figure) -> str:
    """Whether the budgets were held, and which were not."""
    if not each.case.budgets:
        return ""
    if len(each.case.budgets) == 1 or not each.broken:
        return "not held" if each.broken else "held"
    return f"not held: {', '.join(map(str, each.broken))}"


NAME = Column("", lambda each: each.case.name, left=True)
JUDGED = (
    Column("budget", lambda each: ", ".join(map(str, each.case.budgets)), left=True),
    Column("", verdict, left=True))
CPU = Column("CPU ms", lambda each: number(each.cpu_ms, 3 if each.cpu_ms < 1 else 2))
RATE = Column("a second", lambda each: number(each.rate) + ("†" if each.limited else ""))
P50 = Column("p50 ms", lambda each: number(each.p50_ms, 1))
P99 = Column("p99 ms", lambda each: number(each.p99_ms, 1))

TABLES: Sequence[tuple[Sequence[str], Sequence[Column]]] = (
    ((HARVEST, DELIVER, CONNECT), (
        NAME, CPU, Column("spread", lambda each: f"{each.spread:.0%}"), Column("/ C", lambda each: number(each.over_c, 2)),
        Column("/ floor", lambda each: number(each.over_floor, 2)), Column("peak MiB", lambda each: number(each.peak_mib, 1)),
        RATE, P50, P99, *JUDGED)),
    ((DISK,), (
        NAME, RATE, Column("x Postfix", lambda each: number(each.times, 2)),
        Column("syncs a message", lambda each: number(each.syncs, 2)), CPU, P50, P99, *JUDGED)),
    ((FLOOD,), (NAME, P50, P99, Column("harvest sessions a second", lambda each: number(each.rate)), *JUDGED)),
    ((IDLE,), (
        NAME, Column("connections", lambda each: number(each.count)), Column("KiB each", lambda each: number(each.kib, 1)),
        Column("MiB in all", lambda each: number(each.mib, 1)), *JUDGED)),
    ((MESSAGE, START), (
        NAME, CPU, Column("spread", lambda each: f"{each.spread:.0%}"), Column("/ C", lambda each: number(each.over_c, 1)),
        Column("/ floor", lambda each: number(each.over_floor, 2)), Column("peak MiB", lambda each: number(each.peak_mib, 1)),
        P50, P99, *JUDGED)),
)
"""Which groups stand in one table, and its columns."""


def tables(figures: Sequence[Figure]) -> str:
    """All of them, an empty line between."""
    measured = {each.case.group for each in figures}
    there = [([group for group in groups if group in measured], columns) for groups, columns in TABLES]
    return "\n\n".join(_table(groups, columns, figures) for groups, columns in there if groups)


def _table(groups: Sequence[str], columns: Sequence[Column], figures: Sequence[Figure]) -> str:
    lines = [[column.heading for column in columns]]
    for group in groups:
        lines.append([f"**{TITLES[group]}**", *[""] * (len(columns) - 1)])
        lines += [[column.text(each) for column in columns] for each in figures if each.case.group == group]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    rule = ["-" * width if column.left else "-" * (width - 1) + ":" for column, width in zip(columns, widths, strict=True)]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(_padded(line, columns, widths))} |" for line in lines)


def _padded(line: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    return [text.ljust(width) if column.left else text.rjust(width)
            for text, column, width in zip(line, columns, widths, strict=True)]
