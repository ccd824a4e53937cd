"""Log files as multilog itself leaves them, and as they come from elsewhere."""

import gzip
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.qmail.logline import format_line
from tools.frontline.logfiles import files, lines, pairs

LINES = [b"rcpt id=1.1 to=a@b is=valid code=250", b"session id=1.1 ip=192.0.2.1 verdict=quit"]
TEXT = b"".join(line + b"\n" for line in LINES)


def read(*names: Path | str) -> list[bytes]:
    return list(lines(files([str(name) for name in names]), lambda done, total: None))


def test_what_multilog_writes(tmp_path: Path) -> None:
    """With its stamps, and over several files of its directory."""
    for _ in range(3):
        subprocess.run(["multilog", "t", "s4096", tmp_path / "log"], input=TEXT * 40, check=True)

    assert len(files([str(tmp_path / "log")])) > 2
    assert read(tmp_path / "log") == LINES * 120


def test_the_oldest_first(tmp_path: Path) -> None:
    stamps = [f"@40000000{number:016x}.{kind}" for number, kind in ((3, "s"), (1, "u"), (2, "s"))]
    for name in (*stamps, "current", "lock", "state"):
        (tmp_path / name).write_bytes(TEXT)

    names = [Path(name).name for name in files([str(tmp_path)])]

    assert names == [*sorted(stamps), "current"]


@pytest.mark.parametrize("stamp", [
    b"", b"@4000000065e5a1b20abcdef0 ", b"2026-11-21 20:12:11.123456789 ", b"2026-11-21_20:12:11.12345 ",
    b"2026-11-21T20:12:11Z "])
def test_stamps(stamp: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"".join(stamp + line + b"\n" for line in LINES))

    assert read(tmp_path / "log") == LINES


def test_packed_files_and_a_last_line_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(TEXT))
    (tmp_path / "b").write_bytes(TEXT[:-1])

    assert read(tmp_path / "a.gz", tmp_path / "b") == LINES * 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))

    assert read("-") == LINES


def test_how_far_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(TEXT * 20000)
    told: list[tuple[int, int]] = []

    for _ in lines([str(tmp_path / "log")] * 2, lambda done, total: told.append((done, total))):
        pass

    size = len(TEXT) * 20000
    assert len(told) > 4
    assert told == sorted(told)
    assert {total for _, total in told} == {2 * size}
    assert told[-1][0] <= 2 * size


@given(st.dictionaries(st.sampled_from(["id", "to", "from", "tags"]), st.binary(max_size=12) | st.integers(0, 10**9)))
def test_what_logline_writes(written: dict[str, bytes | int]) -> None:
    """A quoted value or not: the same bytes."""
    found = pairs(format_line("rcpt", written.items()).removesuffix(b"\n"))

    assert found == {key.encode(): value if isinstance(value, bytes) else b"%d" % value for key, value in written.items()}


@pytest.mark.parametrize("line", [b"rcpt id", b"rcpt id=", b"rcpt =1", b"rcpt  id=1", b'rcpt id="1', b'rcpt id="1"x'])
def test_what_is_no_line_of_ours(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        pairs(line)
