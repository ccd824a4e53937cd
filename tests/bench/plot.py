"""The picture: a bar for each row of the table, as long as its CPU milliseconds."""

from collections.abc import Sequence
from html import escape

from tests.bench.cases import TITLES
from tests.bench.figures import Figure

WIDTH, LEFT, RIGHT = 940, 380, 80
LABEL = 36
BAR, GAP, HEADING = 16, 6, 34
OURS, FLOOR, BUDGET = "#2a6f97", "#b8c4cc", "#c8553d"
LEGEND = 30


def bars(figures: Sequence[Figure]) -> str:
    """An SVG image: the groups of the table, ours in blue, what is not ours in grey, a line where the budget ends."""
    longest = max(max(each.cpu_ms, each.case.budget[0]) for each in figures)
    scale = (WIDTH - LEFT - RIGHT) / longest
    top, parts = LEGEND, _legend()
    for group, title in TITLES.items():
        parts.append(_text(12, top + HEADING - 12, title, "font-weight='bold'"))
        top += HEADING
        for each in figures:
            if each.case.group == group:
                parts += _bar(each, top, scale)
                top += BAR + GAP
    height = top + GAP
    return "\n".join((
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' font-family='sans-serif' font-size='12'>",
        "<title>CPU milliseconds of a session, a message or a start</title>",
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>", *parts, "</svg>\n"))


def _legend() -> list[str]:
    return [
        _text(12, 20, "CPU milliseconds a session, a message, a start"),
        _box(LEFT, 6, BAR, OURS), _text(LEFT + 18, 20, "ours"),
        _box(LEFT + 70, 6, BAR, FLOOR), _text(LEFT + 88, 20, "not ours: the least that can be done"),
        _line(LEFT + 324, 8, 24),
        _text(LEFT + 332, 20, "budget")]


def _bar(each: Figure, top: int, scale: float) -> list[str]:
    length = max(each.cpu_ms * scale, 1)
    budget = each.case.budget[0] * scale
    # The figure stands behind its bar, or behind the budget where that would cross it.
    figure = budget if length - 4 < budget < length + LABEL else length
    parts = [
        _text(LEFT - 8, top + 12, each.case.name, "text-anchor='end'"),
        _box(LEFT, top, length, FLOOR if each.case.floor else OURS),
        _text(LEFT + figure + 6, top + 12, f"{each.cpu_ms:.1f}")]
    if budget:
        parts.append(_line(LEFT + budget, top - 2, top + BAR + 2))
    return parts


def _box(x: float, y: float, width: float, colour: str) -> str:
    return f"<rect x='{x:.1f}' y='{y}' width='{width:.1f}' height='{BAR}' fill='{colour}'/>"


def _line(x: float, top: int, bottom: int) -> str:
    return f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{top}' y2='{bottom}' stroke='{BUDGET}' stroke-width='2'/>"


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {how}>{escape(text)}</text>"
