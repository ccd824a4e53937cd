"""From samples to what stands on the page: medians, multiples, budgets, tables, the picture."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import pytest

from tests.bench import plot, tables
from tests.bench.case import CONNECT, DISK, FLOOD, IDLE, Budget, Case
from tests.bench.figures import POSTFIX, Figure, Sample, figures

FAST = Budget("cpu_ms", 2, "ms")
SMALL = Budget("peak_mib", 10, "MiB")
TWICE = Budget("times", 2, "x Postfix", least=True)


def row(name: str = "ours", group: str = CONNECT, **more: object) -> Case:
    return Case(group, name, [], **more)  # type: ignore[arg-type]


def test_a_figure_is_the_median_of_its_rounds() -> None:
    found, = figures([row()], [[Sample(10, cpu, 5, rate) for cpu, rate in ((0.01, 3), (0.09, 1), (0.02, 2))]])

    assert found.cpu_ms == pytest.approx(2)
    assert found.spread == pytest.approx(8)
    assert found.rate == 2


def test_it_stands_beside_the_floor_that_is_made_as_it_is() -> None:
    rows = [row("c", floor="C"), row("python", floor="Python"), row("uvloop", floor="uvloop"), row(), row(beside="uvloop")]
    found = figures(rows, [[Sample(1, cpu, 1)] for cpu in (1, 10, 0.1, 20, 0.5)])

    assert [each.over_c for each in found] == pytest.approx([1, 10, 0.1, 20, 0.5])
    assert [each.over_floor for each in found] == pytest.approx([1, 1, 1, 2, 5])


@dataclass
class Judged:
    """A sample, and what is said of it."""

    sample: Sample
    said: str


@pytest.mark.parametrize("each", [
    Judged(Sample(1, 0.002, 10), "held"), Judged(Sample(1, 0.0021, 9), "not held: ≤ 2 ms"),
    Judged(Sample(1, 0.001, 11), "not held: ≤ 10 MiB"), Judged(Sample(1, 0.003, 11), "not held: ≤ 2 ms, ≤ 10 MiB")], ids=repr)
def test_a_budget_is_held_or_not(each: Judged) -> None:
    found, = figures([row(budgets=(FAST, SMALL))], [[each.sample]])

    assert tables.verdict(found) == each.said


@pytest.mark.parametrize(("rate", "said"), [(400, "held"), (399, "not held")])
def test_rates_are_compared_with_postfix(rate: float, said: str) -> None:
    rows = [row(group=DISK, budgets=(TWICE,)), row("Postfix", group=DISK, peer=POSTFIX)]
    ours, theirs = figures(rows, [[Sample(1, 1, 1, rate)], [Sample(1, 1, 1, 200)]])

    assert tables.verdict(ours) == said
    assert theirs.times == 1


def test_without_postfix_there_is_nothing_to_judge() -> None:
    found, = figures([row(group=DISK, budgets=(TWICE,))], [[Sample(1, 1, 1, 100)]])

    assert found.times is None
    assert found.broken == ()


def all_kinds() -> list[Figure]:
    rows = [
        row("floor", floor="C"), row("ours", budgets=(FAST,)), row("<theirs>", peer="theirs"),
        row("ours", DISK, budgets=(TWICE,)), row("ours", FLOOD),
        row("ours", IDLE, held=100), row("theirs", IDLE, peer="theirs")]
    samples = [
        Sample(9, 0.001, 1.5, 100, 3, 4), Sample(9, 0.09, 9.5, 50, 3, 4, limited=True), Sample(9, 0.5, 20, 50, 3, 4),
        Sample(9, 0.1, 1, 500, 3, 4, syncs=0.25), Sample(9, 0, 0, 77, 20, 999.5), Sample(100, 0, 0, kib=3.9, mib=12),
        Sample(100, 0, 0, kib=1250, mib=120)]
    return figures(rows, [[each] for each in samples])


def test_tables_have_what_was_measured() -> None:
    text = tables.tables(all_kinds())

    assert "queue programs" not in text, "there are none"
    for line in text.split("\n\n")[0].split("\n"):
        assert len(line) == len(text.split("\n")[0])
    for expected in ("50†", "≤ 2 ms", "not held", " 0.25 ", " 999.5 ", " 3.9 ", " 1,250.0 ", "≥ 2 x Postfix"):
        assert expected in text, expected


def test_the_picture_has_a_dot_for_each_within_its_edges() -> None:
    picture = ET.fromstring(plot.picture(all_kinds()))
    space = "{http://www.w3.org/2000/svg}"
    dots = [each for each in picture.iter(f"{space}circle") if float(each.get("cy", "0")) > plot.LEGEND]
    labels = [each.text for each in picture.iter(f"{space}text")]

    assert len(dots) == 3 + 2
    assert all(plot.LEFT <= float(each.get("cx", "0")) <= plot.WIDTH - plot.RIGHT for each in dots)
    assert {"<theirs>", "ours, 100 connections", "10.0", "1,250"} <= set(labels)


def test_cheapest_first() -> None:
    picture = ET.fromstring(plot.picture(all_kinds()))
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]

    rows = [text for text in texts if text in ("floor", "ours", "<theirs>")]

    assert rows[0] == "ours", "the legend"
    assert rows[1:] == ["floor", "ours", "<theirs>"]
