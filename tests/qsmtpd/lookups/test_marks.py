"""Who rests: from process to process, by files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.lookups.marks import MEMORY, REST, Marks

NOW = 1_800_000_000.0


def strikes(place: Path, *times: float, name: bytes = b"dul.example") -> list[bool]:
    """What strike() says, in a new process each time."""
    return [Marks(str(place)).strike(name, time) for time in times]


def rests(place: Path, time: float, name: bytes = b"dul.example") -> bool:
    return Marks(str(place)).has(name, time)


def test_three_failures_in_a_row_begin_a_rest(tmp_path: Path) -> None:
    """The other processes see it, and it ends by itself; then a single failure begins the next."""
    assert strikes(tmp_path, NOW, NOW + 1) == [False, False]
    assert not rests(tmp_path, NOW + 1)
    assert strikes(tmp_path, NOW + 2) == [True]
    assert rests(tmp_path, NOW + 3)
    assert rests(tmp_path, NOW + REST)
    assert not rests(tmp_path, NOW + REST + 3)
    assert strikes(tmp_path, NOW + REST + 4) == [True]
    assert rests(tmp_path, NOW + REST + 5)


def test_an_answer_between_makes_them_no_row(tmp_path: Path) -> None:
    strikes(tmp_path, NOW, NOW)
    Marks(str(tmp_path)).clear(b"dul.example")

    assert strikes(tmp_path, NOW, NOW, NOW) == [False, False, True]


def test_old_failures_are_forgotten(tmp_path: Path) -> None:
    strikes(tmp_path, NOW, NOW)

    assert strikes(tmp_path, NOW + MEMORY + 1) == [False]


def test_all_names_below_rest_and_no_others(tmp_path: Path) -> None:
    Marks(str(tmp_path)).strike(b"dul.example", NOW, 3)

    assert rests(tmp_path, NOW, b"2.0.0.127.dul.example")
    assert not rests(tmp_path, NOW, b"xdul.example")
    assert not rests(tmp_path, NOW, b"example")
    assert not rests(tmp_path, NOW, b"")


def test_one_who_rests_is_not_struck_again(tmp_path: Path) -> None:
    """Else the sessions that find it resting would make it rest for ever."""
    strikes(tmp_path, NOW, NOW, NOW)

    assert strikes(tmp_path, NOW + REST / 2) == [False]
    assert not rests(tmp_path, NOW + REST + 1)


def test_a_clock_that_was_wrong_makes_nobody_rest_for_years(tmp_path: Path) -> None:
    strikes(tmp_path, *[NOW + 10**8] * 3)
    assert not rests(tmp_path, NOW)
    assert strikes(tmp_path, NOW) == [True]
    assert rests(tmp_path, NOW + 1)


def test_files_are_small_and_named_by_the_configuration(tmp_path: Path) -> None:
    strikes(tmp_path, *[NOW + i * (REST + 1) for i in range(10)])

    assert [(path.name, path.stat().st_size <= 10) for path in tmp_path.iterdir()] == [("dul.example", True)]


@given(name=st.binary(max_size=30) | st.sampled_from([b"..", b".", b"../x", b"a/b", b"/etc/x", b"a\0b", b""]))
def test_no_name_leaves_the_directory(name: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("marks")
    (place / "in").mkdir()
    marks = Marks(str(place / "in"))

    marks.strike(name, NOW, 3)
    marks.has(name, NOW)
    marks.clear(name)

    assert [path.name for path in place.iterdir()] == ["in"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks/dul.example").symlink_to(tmp_path / "elsewhere")

    assert strikes(tmp_path / "marks", NOW, NOW, NOW) == [False, False, False]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("place", ["missing", "file"])
def test_without_the_directory_nothing_is_remembered(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert strikes(tmp_path / place, NOW, NOW, NOW) == [False, False, False]
    assert not rests(tmp_path / place, NOW)
    Marks(str(tmp_path / place)).clear(b"dul.example")


def test_what_others_put_there_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "dul.example").mkdir()
    os.mkfifo(tmp_path / "pipe.example")

    assert strikes(tmp_path, NOW, NOW, NOW) == [False, False, False]
    assert strikes(tmp_path, NOW, name=b"pipe.example") == [False]
