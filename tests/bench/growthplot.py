"""The picture of growth: a panel for each thing that there is more and more of, a line for each server; logarithmic scales."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

PANEL, GAP, LEFT, TOP, HEIGHT = 300, 62, 56, 44, 240
LEGEND, LEGEND_LINE = 54, 16
COLOURS = ("#2a6f97", "#c8553d", "#61a5c2", "#e09f3e", "#a9d6e5", "#f2cc8f")
"""Of the lines of a panel, in their order: where two servers take turns, each has its own."""
GRID = "#e6eaec"


class Point(NamedTuple):
    """So many of it, and CPU milliseconds."""

    number: int
    milliseconds: float


class Line(NamedTuple):
    """The points of a server in a panel, which has the name of what there is more and more of."""

    panel: str
    name: str
    points: Sequence[Point]


class Axis:
    """From a value to where it stands between start and end; its ends are powers of ten."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low = math.floor(math.log10(min(values)) + 1e-9)
        self.high = max(math.ceil(math.log10(max(values)) - 1e-9), self.low + 1)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (math.log10(value) - self.low) / (self.high - self.low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def picture(lines: Sequence[Line]) -> str:
    """An SVG image."""
    panels = list(dict.fromkeys(line.panel for line in lines))
    upright = Axis([point.milliseconds for line in lines for point in line.points], TOP + HEIGHT, TOP)
    parts: list[str] = []
    for number, panel in enumerate(panels):
        parts += _panel(panel, [line for line in lines if line.panel == panel], LEFT + number * (PANEL + GAP), upright)
    longest = max([line.panel for line in lines].count(panel) for panel in panels)
    width, height = LEFT + len(panels) * (PANEL + GAP), TOP + HEIGHT + LEGEND + LEGEND_LINE * longest
    return "\n".join((
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' font-family='sans-serif' font-size='12'>",
        "<title>CPU milliseconds a harvest session, by what there is more and more of</title>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        _text(12, 18, "CPU milliseconds a harvest session; flat is good", "font-weight='bold'"), *parts, "</svg>\n"))


def _panel(name: str, lines: Sequence[Line], left: float, upright: Axis) -> list[str]:
    across = Axis([point.number for line in lines for point in line.points], left, left + PANEL)
    bottom, middle = TOP + HEIGHT, "text-anchor='middle'"
    parts = [_line((left, upright(tick)), (left + PANEL, upright(tick)), GRID) for tick in upright.ticks()]
    parts += [_line((across(tick), TOP), (across(tick), bottom), GRID) for tick in across.ticks()]
    parts += [_text(left - 6, upright(tick) + 4, f"{tick:g}", "text-anchor='end' fill='#667'") for tick in upright.ticks()]
    parts += [_text(across(tick), bottom + 16, _short(tick), f"{middle} fill='#667'") for tick in across.ticks()]
    parts.append(_text(left + PANEL / 2, bottom + 34, name, middle))
    for number, line in enumerate(lines):
        parts += _drawn(line, COLOURS[number], across, upright)
        below = bottom + LEGEND + LEGEND_LINE * number
        parts += [_line((left, below - 4), (left + 18, below - 4), COLOURS[number], 2), _text(left + 24, below, line.name)]
    return parts


def _drawn(line: Line, colour: str, across: Axis, upright: Axis) -> list[str]:
    at = [(across(point.number), upright(point.milliseconds)) for point in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    return [f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>",
            *(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in at)]


def _short(value: float) -> str:
    return f"{value / 1e6:g} million" if value >= 1e6 else f"{value:,g}"


def _line(begin: tuple[float, float], end: tuple[float, float], colour: str, width: int = 1) -> str:
    (x1, y1), (x2, y2) = begin, end
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' stroke-width='{width}'/>"


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {how}>{escape(text)}</text>"
