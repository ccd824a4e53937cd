"""The file itself: an independent reader agrees, and neither a crash nor a full disk nor a hostile old file does harm."""

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.qmail import durable
from tests.tools.qmailsite import dump
from tools.validusers import cdbfile
from tools.validusers.report import Report, TroubleError

KEYS = [b"@all.test", b"a-default@b.test", b"us\xc3\xa9r@b.test"]


def nothing() -> None:
    """Every new cdb is welcome."""


def made_by_tinycdb(path: Path, records: list[tuple[bytes, bytes]]) -> Path:
    text = b"".join(b"+%d,%d:%b->%b\n" % (len(key), len(data), key, data) for key, data in records)
    subprocess.run(["cdb", "-c", path], input=text + b"\n", check=True)
    return path


def last(path: Path, report: Report | None = None) -> list[bytes]:
    with cdbfile.last_keys(str(path), report or Report()) as keys:
        return list(keys)


def test_an_independent_reader_finds_the_keys(tmp_path: Path) -> None:
    cdbfile.replace(str(tmp_path / "v.cdb"), KEYS, nothing)

    assert dump(tmp_path / "v.cdb") == KEYS
    assert last(tmp_path / "v.cdb") == KEYS
    assert subprocess.run(["cdb", "-q", tmp_path / "v.cdb", KEYS[0]], check=False).returncode == 0
    assert subprocess.run(["cdb", "-q", tmp_path / "v.cdb", "nobody@b.test"], check=False).returncode == 100


def test_everybody_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    """qmaild is who looks up."""
    before = os.umask(0o077)
    try:
        cdbfile.replace(str(tmp_path / "v.cdb"), KEYS, nothing)
    finally:
        os.umask(before)

    assert (tmp_path / "v.cdb").stat().st_mode & 0o777 == 0o644


def test_a_file_of_another_program_is_sorted_first(tmp_path: Path) -> None:
    """With data, duplicates, no order, and a key that no address can be."""
    path = made_by_tinycdb(tmp_path / "v.cdb", [(b"z@b", b"data"), (b"a@b", b""), (b"z@b", b""), (b"x\ny", b"")])

    assert last(path) == [b"a@b", b"z@b"]


def test_no_file_is_no_keys_and_no_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert last(tmp_path / "v.cdb") == []
    assert capsys.readouterr().err == ""


def test_an_old_file_cut_off_anywhere(tmp_path: Path) -> None:
    """A130: keys or a warning, never an exception.  A file without all of its tables may still tell its keys."""
    path = tmp_path / "v.cdb"
    cdbfile.replace(str(path), KEYS, nothing)
    whole = path.read_bytes()
    records = 2048 + sum(8 + len(key) for key in KEYS)
    for length in [*range(0, 2048, 61), *range(2040, len(whole))]:
        path.write_bytes(whole[:length])

        found = last(path)

        assert found == [] or (found == KEYS and length >= records), length


NUMBER = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2047, 2048, 2056, 2**31, 2**32 - 8, 2**32 - 1]))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 620), NUMBER), max_size=6), st.binary(max_size=20))
def test_an_old_file_with_wrong_numbers(tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[int, int]],
                                        tail: bytes) -> None:
    """A130: no endless search and no huge read: the records are walked once, within the file."""
    path = tmp_path_factory.getbasetemp() / "hostile.cdb"
    cdbfile.replace(str(path), [b"%04d@b.test" % number for number in range(10)], nothing)
    data = bytearray(path.read_bytes())
    for place, number in numbers:
        data[place * 4:place * 4 + 4] = struct.pack("<I", number)
    path.write_bytes(data + tail)

    assert len(last(path)) <= len(data) // 8


@pytest.mark.parametrize("end", [2048 + 8 + 3, 2048 + 4, 2**32 - 1])
def test_a_record_that_runs_into_the_tables_is_no_key(tmp_path: Path, end: int) -> None:
    """A130."""
    path = tmp_path / "v.cdb"
    cdbfile.replace(str(path), KEYS, nothing)
    path.write_bytes(struct.pack("<II", end, 0) * 256 + path.read_bytes()[2048:])

    assert last(path) == []


def test_a_damaged_old_file_is_said_and_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "v.cdb"
    path.write_bytes(b"rubbish")

    assert last(path) == []
    assert "v.cdb: cannot be read, so the report has nothing to compare with: damaged" in capsys.readouterr().err
    cdbfile.replace(str(path), KEYS, nothing)
    assert dump(path) == KEYS


def test_a_fifo_in_its_place_does_not_stop_us(tmp_path: Path) -> None:
    """A132."""
    os.mkfifo(tmp_path / "v.cdb")

    assert last(tmp_path / "v.cdb") == []


def test_a_link_planted_as_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    """A132."""
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "v.cdb.tmp").symlink_to(tmp_path / "precious")

    cdbfile.replace(str(tmp_path / "v.cdb"), KEYS, nothing)

    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "v.cdb").is_symlink()


def test_whoever_has_the_old_one_open_keeps_it_whole(tmp_path: Path) -> None:
    """A131: the file is replaced, never written into."""
    path = tmp_path / "v.cdb"
    cdbfile.replace(str(path), KEYS, nothing)
    before = path.read_bytes()
    with path.open("rb") as reader:
        cdbfile.replace(str(path), [b"new@b.test"], nothing)
        assert reader.read() == before


def refuse() -> None:
    raise TroubleError("refused")


def failing() -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("check", [refuse, failing])
def test_what_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path, check: "cdbfile.Check") -> None:
    path = tmp_path / "v.cdb"
    cdbfile.replace(str(path), KEYS, nothing)

    with pytest.raises((TroubleError, OSError)):
        cdbfile.replace(str(path), [b"new@b.test"], check)

    assert dump(path) == KEYS
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the new cdb does not fit, the old one serves on."""
    path = tmp_path / "v.cdb"
    cdbfile.replace(str(path), KEYS, nothing)
    (tmp_path / "list").write_text("".join(f"user{number}@b.test\n" for number in range(20_000)))
    (tmp_path / "rcpthosts").write_text("b.test\n")
    program = "from tools.validusers.main import main; raise SystemExit(main())"

    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh", "python3", "-c", program, "--no-qmail", "-l", "list", "-o", "v.cdb"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "CONTROLDIR": str(tmp_path),
             "PYTHONPATH": str(Path(__file__).parents[3])})

    assert done.returncode == 111
    assert done.stderr.startswith("validusers: ")
    assert dump(path) == KEYS
    assert not (tmp_path / "v.cdb.tmp").exists()


@pytest.mark.parametrize("step", ["sync_file", "rename"])
def test_killed_before_the_rename_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What a kill leaves behind is the temporary file, which the next run takes away."""
    path = tmp_path / "v.cdb"
    cdbfile.replace(str(path), KEYS, nothing)
    child = os.fork()
    if not child:
        monkeypatch.setattr(durable, step, lambda *arguments: os._exit(9))
        cdbfile.replace(str(path), [b"new@b.test"], nothing)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    assert dump(path) == KEYS
    assert (tmp_path / "v.cdb.tmp").exists()
    cdbfile.replace(str(path), [b"new@b.test"], nothing)
    assert dump(path) == [b"new@b.test"]
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A134."""
    steps: list[str] = []
    sync_file, rename = durable.sync_file, durable.rename

    def synced(fd: int) -> None:
        steps.append(f"sync {len(dump(tmp_path / 'v.cdb.tmp'))}")
        sync_file(fd)

    def renamed(source: str, target: str) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(durable, "sync_file", synced)
    monkeypatch.setattr(durable, "rename", renamed)

    cdbfile.replace(str(tmp_path / "v.cdb"), KEYS, nothing)

    assert steps == ["sync 3", "rename"]


def test_two_at_once_do_not_write_one_file(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with pytest.raises(TroubleError, match="another validusers is at work"):
            cdbfile.replace(str(tmp_path / "v.cdb"), KEYS, nothing)
    finally:
        os.close(fd)
    cdbfile.replace(str(tmp_path / "v.cdb"), KEYS, nothing)
