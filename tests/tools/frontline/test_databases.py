"""cdbs: whole ones, cut off ones, and such as are older than what they are made from."""

import os
from pathlib import Path

import cdbx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.frontline.databases import check, damage


def make(path: Path, *keys: bytes) -> None:
    with path.open("wb") as file:
        maker = cdbx.CDB.make(file)
        for key in keys:
            maker.add(key, b"")
        maker.commit()


def found(directory: Path) -> list[str]:
    findings = check(str(directory), frozenset(("validrcptto.cdb", "morercpthosts.cdb", "none.cdb")))
    return [str(each).removeprefix(f"{directory}/") for each in findings]


def test_a_whole_one(tmp_path: Path) -> None:
    make(tmp_path / "validrcptto.cdb", b"a@b", b"c@d")

    assert found(tmp_path) == []


def test_one_without_keys_refuses_everybody(tmp_path: Path) -> None:
    make(tmp_path / "validrcptto.cdb")

    assert found(tmp_path) == [
        "validrcptto.cdb: warning: it has no key: every recipient is refused; run validusers, or delete it"]


def test_one_that_is_older_than_its_source(tmp_path: Path) -> None:
    make(tmp_path / "morercpthosts.cdb", b"b.test")
    (tmp_path / "morercpthosts").write_text("b.test\nnew.test\n")
    os.utime(tmp_path / "morercpthosts.cdb", (1, 1))

    assert found(tmp_path) == [
        f"morercpthosts.cdb: warning: older than {tmp_path}/morercpthosts, which has changed; run qmail-newmrh"]


@pytest.mark.parametrize("content", [b"", b"\0" * 2048, b"\xff" * 4096])
def test_what_is_none(content: bytes, tmp_path: Path) -> None:
    """A130."""
    (tmp_path / "validrcptto.cdb").write_bytes(content)

    assert found(tmp_path)[0].startswith("validrcptto.cdb: error: no whole cdb, ")


@given(st.sets(st.binary(max_size=9), max_size=30), st.data())
def test_one_that_is_cut_off_is_seen(tmp_path_factory: pytest.TempPathFactory, keys: set[bytes], data: st.DataObject) -> None:
    """A131: wherever it is cut, when it has keys at all: its tables are at the end."""
    path = tmp_path_factory.getbasetemp() / "x.cdb"
    make(path, *keys)
    whole = path.read_bytes()
    assert damage(path) == ""

    path.write_bytes(whole[:data.draw(st.integers(0, len(whole) - 1))])

    assert damage(path)
