"""Sorting and dropping duplicates outside of our memory."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.validusers import unique
from tools.validusers.report import TroubleError
from tools.validusers.unique import Sorter


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=8).map(lambda key: key.replace(b"\n", b""))))
def test_sorted_by_bytes_each_once(keys: list[bytes]) -> None:
    with Sorter() as sorter:
        assert sorter.add(keys) == len(keys)
        assert list(sorter) == sorted(set(keys))


def test_a_flood_of_one_address_costs_nothing() -> None:
    """Equal keys would make a cdb's hash table a list that is searched from its start for each."""
    began = time.monotonic()
    with Sorter() as sorter:
        sorter.add(b"same@here.test" for _ in range(300_000))
        assert list(sorter) == [b"same@here.test"]

    assert time.monotonic() - began < 10


def test_left_early_it_leaves_no_process() -> None:
    with Sorter() as sorter:
        sorter.add([b"a", b"b"])

    assert sorter._process.poll() is not None


@pytest.mark.parametrize("when", ["while adding", "at the end"])
def test_no_room_for_sorting_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr(unique, "COMMAND", ("sort", "-u", "-S", "32K"))
    keys = (b"%d" % number for number in range(1_000_000 if when == "while adding" else 20_000))

    def sort() -> None:
        with Sorter() as sorter:
            sorter.add(keys)
            list(sorter)

    with pytest.raises(TroubleError, match="TMPDIR names another place"):
        sort()
