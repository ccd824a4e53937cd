"""The figures of growth: a row for each measurement, a picture of each line, and a real connection that is held."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import instruments
from tests.bench.growth import KINDS, Extent, Figures, Growth, Measured, Row, lines, medians, tables, write
from tests.bench.growthplot import picture
from tests.bench.home import Site

NUMBERS = (10, 1000, 100_000)


def row(table: str, what: str, number: int) -> Row:
    return Row(table, what, number, lambda: Measured(0.0))


@pytest.fixture
def figures() -> Figures:
    """The milliseconds are the number's hundredth, the KiB its thousandth, the MiB its tenth."""
    each_of = {"held": ("warm",), "recipients": ("warm", "cold"), "rules": ("warm", "cold")}
    rows = [row(table, what, number) for table, servers in each_of.items() for what in servers for number in NUMBERS]
    return Figures([(each, Measured(each.number / 100, each.number / 1000, each.number / 10)) for each in rows], 1.0, 0.0,
                   Extent(1, 1, 1))


def cells(table: str, line: int) -> list[str]:
    return [cell.strip() for cell in table.split("\n")[line].strip("|").split("|")]


def test_each_figure_stands_in_its_place(figures: Figures) -> None:
    shown = tables(figures)

    assert cells(shown["held"], 4) == ["100,000", "1000.000", "100.0"]
    assert cells(shown["rules"], 3) == ["cold", "0.100", "10.000", "1000.000"]
    assert "cold: MiB at its peak" in shown["recipients"]
    for table in shown.values():
        assert len({len(line) for line in table.split("\n")}) == 1, "not a table in a terminal"


def test_the_picture_has_every_point_inside_of_it(figures: Figures) -> None:
    image = ET.fromstring(picture(lines(figures)))
    _, _, width, height = map(float, image.attrib["viewBox"].split())
    points = image.findall(".//{*}circle")

    assert len(points) == len(figures.rows)
    assert all(0 < float(point.attrib["cx"]) < width and 0 < float(point.attrib["cy"]) < height for point in points)


def test_the_page_is_written(figures: Figures, tmp_path: Path) -> None:
    write(figures, tmp_path)
    text = (tmp_path / "growth.md").read_text()

    assert all(table in text for table in tables(figures).values())
    assert (tmp_path / "growth.svg").exists()


def test_one_round_that_is_an_outlier_is_none() -> None:
    assert medians([Measured(1.0, 5.0, 9.0), Measured(100.0, 4.0, 9.0), Measured(2.0, 6.0, 9.0)]) == Measured(2.0, 5.0, 9.0)


def test_what_is_measured_is_what_is_said(tmp_path: Path) -> None:
    """Real servers: each row, with little of everything."""
    instruments.build(tmp_path)
    growth = Growth(Site(tmp_path, 10), Extent(rounds=1, sessions=4, weight=2, part=0.001))
    chosen = [each for each in growth.rows if each.number in (1, 10)]
    found = {(each.table, each.what): each.measure() for each in chosen}

    assert {what for table, what in found if table == "rules"} == {
        f"{program}, {kind}" for program in ("qsmtpd", "qsmtpd-listen") for kind in KINDS}
    assert all(each.cpu_ms > 0 for each in found.values())
