"""Private files: small in memory, large in a file without a name, and full disks are temporary."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.faults import ShimError
from qqshim.spool import MEMORY, Spool


def where(spool: Spool) -> str:
    return os.readlink(f"/proc/self/fd/{spool.fd}")


def spooled(directory: Path, *pieces: bytes) -> Spool:
    spool = Spool(os.fsencode(directory))
    for piece in pieces:
        spool.write(piece)
    return spool


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Python ignores SIGXFSZ, so that a write beyond it fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 1, MEMORY - 1, MEMORY])
def test_small_ones_stay_in_memory(tmp_path: Path, size: int) -> None:
    spool = spooled(tmp_path, b"x" * size)

    assert "memfd:" in where(spool)
    assert (spool.size, spool.read(0, size + 1)) == (size, b"x" * size)
    spool.close()


@pytest.mark.parametrize("pieces", [[MEMORY + 1], [MEMORY, 1], [1, MEMORY], [100_000] * 5])
def test_large_ones_go_to_the_disk_without_a_name(tmp_path: Path, pieces: list[int]) -> None:
    """A89: nobody can open it, and nothing is left behind when we are killed."""
    text = [bytes([65 + i]) * size for i, size in enumerate(pieces)]
    spool = spooled(tmp_path, *text)

    assert where(spool).startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(spool.fd).st_nlink == 0
    assert spool.read(0, sum(pieces)) == b"".join(text)
    assert not os.get_inheritable(spool.fd)
    spool.close()


def test_a_file_system_without_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A89: then it is made under a name that nobody can guess, which must not exist, and which is gone at once."""
    opened: list[tuple[bytes, int]] = []
    really = os.open

    def without_tmpfile(path: bytes, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        opened.append((path, flags))
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", without_tmpfile)
    spool = spooled(tmp_path, b"x" * (MEMORY + 1))

    assert list(tmp_path.iterdir()) == []
    assert spool.read(0, 10**6) == b"x" * (MEMORY + 1)
    assert all(flags & os.O_EXCL and flags & os.O_NOFOLLOW for _, flags in opened)
    spool.close()


def test_a_kernel_without_files_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: str, _flags: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", none)
    spool = spooled(tmp_path, b"x")

    assert where(spool).startswith(str(tmp_path))
    assert spool.read(0, 9) == b"x"
    spool.close()


@given(st.lists(st.integers(0, 200_000), max_size=4), st.lists(st.integers(0, 200_000), max_size=4))
def test_append(before: list[int], after: list[int]) -> None:
    first = spooled(Path("/var/tmp"), *[b"a" * size for size in before])
    second = spooled(Path("/var/tmp"), *[b"b" * size for size in after])
    first.append(second)

    assert first.size == sum(before) + sum(after)
    assert first.read(0, first.size + 1) == b"a" * sum(before) + b"b" * sum(after)
    first.close()
    second.close()


@pytest.mark.parametrize("size", [10, MEMORY + 1])
def test_become(tmp_path: Path, size: int) -> None:
    """From the beginning, for reading only, and kept by exec."""
    spool = spooled(tmp_path, b"x" * size)
    place = os.open("/dev/null", os.O_RDONLY)
    spool.become(place)

    assert os.get_inheritable(place)
    assert os.read(place, size + 1) == b"x" * size
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(place, b"y")
    os.close(place)
    spool.close()


def test_become_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = spooled(tmp_path, b"hello")
    place = os.open("/dev/null", os.O_RDONLY)
    really = os.open

    def without_proc(path: str, flags: int) -> int:
        return really(path.replace("/proc/", "/nowhere/"), flags)

    monkeypatch.setattr(os, "open", without_proc)
    spool.become(place)

    assert os.read(place, 9) == b"hello"
    os.close(place)
    spool.close()


def fill(write: Callable[[], None]) -> None:
    for _ in range(100):
        write()


@pytest.mark.parametrize("limit", [1000, MEMORY // 2, MEMORY + 10])
def test_no_room(tmp_path: Path, limit: int) -> None:
    """A137: in memory, in the move to the disk, on the disk: 53 each time, which callers answer with 451."""
    spool = Spool(os.fsencode(tmp_path))
    with file_size_limit(limit):
        with pytest.raises(ShimError) as caught:
            fill(lambda: spool.write(b"x" * 65536))
        other = spooled(tmp_path, b"x" * 10)
        with pytest.raises(ShimError, match="spool in"):
            fill(lambda: other.append(other))
    spool.close()
    other.close()

    assert caught.value.exit_code == 53
    assert list(tmp_path.iterdir()) == []


def test_no_directory(tmp_path: Path) -> None:
    spool = Spool(os.fsencode(tmp_path / "none"))
    with pytest.raises(ShimError, match="No such file or directory") as caught:
        spool.write(b"x" * (MEMORY + 1))
    spool.close()

    assert caught.value.exit_code == 53


def test_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A138."""
    def none(*_arguments: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(os, "memfd_create", none)
    monkeypatch.setattr(os, "open", none)
    with pytest.raises(ShimError) as caught:
        Spool(os.fsencode(tmp_path))

    assert caught.value.exit_code == 51
