"""The picture: for each workload the servers one below the other, a dot each, cheapest first, on a scale of powers of ten."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from tests.bench.case import CONNECT, DELIVER, HARVEST, IDLE, TITLES, Budget
from tests.bench.figures import Figure

WIDTH, LEFT, RIGHT = 960, 380, 30
LINE, HEADING, LEGEND, AXIS = 20, 40, 30, 22
DOT = 5
OURS, PEER, FLOOR, BUDGET, GRID = "#2a6f97", "#e09f3e", "#aab7bf", "#c8553d", "#e6eaec"
TICKS = (1, 2, 5)


class Panel(NamedTuple):
    """A workload.

    group     its rows
    title     what is shown of them
    quantity  the attribute of a figure
    """

    group: str
    title: str
    quantity: str


PANELS = (
    *(Panel(group, f"CPU milliseconds a session: {TITLES[group]}", "cpu_ms") for group in (HARVEST, DELIVER, CONNECT)),
    Panel(IDLE, f"KiB of memory each: {TITLES[IDLE]}", "kib"))


class Scale:
    """From a value to where it stands; its ends are powers of ten."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)

    def __call__(self, value: float) -> float:
        return LEFT + (math.log10(value) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[float]:
        return [10**power for power in range(self.low, self.high + 1)]

    def lines(self) -> list[float]:
        """Ticks, and lines between."""
        return [times * tick for tick in self.ticks() for times in TICKS if times * tick <= 10**self.high]


def picture(figures: Sequence[Figure]) -> str:
    """An SVG image."""
    top, parts = LEGEND, _legend()
    for panel in PANELS:
        mine = [(value, each) for each in figures
                if each.case.group == panel.group and (value := getattr(each, panel.quantity)) and not each.case.source]
        if mine:
            parts += _panel(panel, sorted(mine, key=lambda pair: pair[0]), top)
            top += HEADING + LINE * len(mine) + AXIS
    return "\n".join((
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {top + 8}' font-family='sans-serif' font-size='12'>",
        "<title>What a session costs, and a connection that waits: ours, other servers, floors</title>",
        f"<rect width='{WIDTH}' height='{top + 8}' fill='white'/>", *parts, "</svg>\n"))


def _panel(panel: Panel, mine: Sequence[tuple[float, Figure]], top: int) -> list[str]:
    budgets = {id(each): _budget(each.case.budgets, panel.quantity) for _, each in mine}
    scale = Scale([value for value, _ in mine] + [limit for limit in budgets.values() if limit])
    first, bottom = top + HEADING, top + HEADING + LINE * len(mine)
    parts = [_text(12, top + HEADING - 14, panel.title, "font-weight='bold'")]
    parts += [_line(scale(value), first - 4, bottom, GRID, 2 if value in scale.ticks() else 1) for value in scale.lines()]
    parts += [_text(scale(value), bottom + 14, f"{value:,g}", "text-anchor='middle' fill='#667'") for value in scale.ticks()]
    for number, (value, each) in enumerate(mine):
        parts += _row(each, value, budgets[id(each)], scale, first + LINE * number + LINE // 2)
    return parts


def _row(each: Figure, value: float, budget: float | None, scale: Scale, middle: int) -> list[str]:
    colour = OURS if each.case.ours else PEER if each.case.peer else FLOOR
    name = each.case.name + (f", {each.count:,} connections" if each.case.held else "")
    parts = [
        _text(LEFT - 12, middle + 4, name, "text-anchor='end'"),
        f"<line x1='{LEFT}' x2='{scale(value):.1f}' y1='{middle}' y2='{middle}' stroke='{colour}' stroke-opacity='.5'/>",
        f"<circle cx='{scale(value):.1f}' cy='{middle}' r='{DOT}' fill='{colour}'/>"]
    end = scale(value) + DOT
    if budget:
        parts.append(_line(scale(budget), middle - 8, middle + 8, BUDGET, 2))
        end = max(end, scale(budget)) if scale(budget) - end < 40 else end
    # Where there is no room to the right of it the figure stands to the left.
    text = _figure(value)
    if end + 8 + 8 * len(text) < WIDTH:
        return [*parts, _text(end + 6, middle + 4, text, "stroke='white' stroke-width='3' paint-order='stroke'")]
    return [*parts, _text(scale(value) - DOT - 6, middle - 4, text, "text-anchor='end'")]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.{1 if value >= 10 else 2}f}"


def _budget(budgets: Sequence[Budget], quantity: str) -> float | None:
    return next((each.limit for each in budgets if each.quantity == quantity), None)


def _legend() -> list[str]:
    parts, x = [], 12
    for colour, text in ((OURS, "ours"), (PEER, "other servers"), (FLOOR, "floors: fixed replies")):
        parts += [f"<circle cx='{x + DOT}' cy='16' r='{DOT}' fill='{colour}'/>", _text(x + 16, 20, text)]
        x += 34 + 7 * len(text)
    return [*parts, _line(x, 8, 24, BUDGET, 2), _text(x + 8, 20, "budget"),
            _text(WIDTH - RIGHT, 20, "less is better; each mark of the scale is ten times the one before", "text-anchor='end'")]


def _line(x: float, top: int, bottom: int, colour: str, width: int) -> str:
    return f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{top}' y2='{bottom}' stroke='{colour}' stroke-width='{width}'/>"


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {how}>{escape(text)}</text>"
