"""Durable changes: in which order the system is asked, and what is left when it says no or the process dies."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qsmtpd.qmail import durable

CALLS = ("open", "write", "fchmod", "fsync", "close", "rename", "link", "unlink")


class Recorder:
    """Stands between durable and the system: notes what is asked of it, and can make the call number N fail or be the last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.after: Callable[[int], None] = lambda count: None
        self.before: Callable[[str], None] = lambda what: None
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            what = f"{name} {' '.join(self._shown(argument) for argument in arguments[:2])}"
            self.before(what)
            result = real(*arguments, **named)
            self.done.append(what)
            self.after(len(self.done))
            return result

        return call

    @staticmethod
    def _shown(argument: object) -> str:
        """A path's last part; for a descriptor that of what it is open on; data and flags not at all."""
        if isinstance(argument, int) and 2 < argument < 1000 and os.path.exists(f"/proc/self/fd/{argument}"):
            argument = os.readlink(f"/proc/self/fd/{argument}")
        return os.path.basename(argument) if isinstance(argument, str) else ""

    def order(self) -> list[str]:
        """The calls that change something or make it durable."""
        return [what.strip() for what in self.done if not what.startswith(("open", "close", "write", "fchmod"))]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory with "file" in it, that holds b"old"; no descriptor may be left open when the test has ended."""
    directory = tmp_path / "place"
    (directory / "other").mkdir(parents=True)
    (directory / "file").write_bytes(b"old")
    before = set(os.listdir("/proc/self/fd"))
    yield directory
    assert set(os.listdir("/proc/self/fd")) == before


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir() if each.is_file())


def test_replace_file_order(place: Path, recorder: Recorder) -> None:
    """A134: the bytes before the name, the directory after it."""
    durable.replace_file(str(place / "file"), b"new", 0o640)

    assert recorder.order() == ["fsync file.tmp", "rename file.tmp file", "fsync place"]
    assert [what.split()[0] for what in recorder.done] == [
        "open", "write", "fchmod", "fsync", "close", "rename", "open", "fsync", "close"]
    assert (place / "file").read_bytes() == b"new"
    assert stat.S_IMODE((place / "file").stat().st_mode) == 0o640


def test_rename_order(place: Path, recorder: Recorder) -> None:
    """A134, A135: both directories, that which gained the name first."""
    durable.rename(str(place / "file"), str(place / "other/name"))

    assert recorder.order() == ["rename file name", "fsync other", "fsync place"]
    assert names(place) == []
    assert (place / "other/name").read_bytes() == b"old"


def test_rename_within_a_directory_syncs_it_once(place: Path, recorder: Recorder) -> None:
    durable.rename(str(place / "file"), str(place / "name"))

    assert recorder.order() == ["rename file name", "fsync place"]


def test_unlink_order(place: Path, recorder: Recorder) -> None:
    durable.unlink(str(place / "file"))

    assert recorder.order() == ["unlink file", "fsync place"]


def test_sync_file(place: Path, recorder: Recorder) -> None:
    fd = os.open(place / "file", os.O_WRONLY)
    durable.sync_file(fd)
    os.close(fd)

    assert recorder.order() == ["fsync file"]


def test_relative_names_are_in_the_working_directory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    durable.replace_file("file", b"new")
    durable.rename("file", "name")

    assert (place / "name").read_bytes() == b"new"


def test_a_planted_temporary_is_not_followed(place: Path) -> None:
    """A132: what it points at stays as it is; the next try succeeds, for the link is gone."""
    (place / "victim").write_bytes(b"theirs")
    (place / "file.tmp").symlink_to("victim")

    with pytest.raises(OSError, match="Too many levels"):
        durable.replace_file(str(place / "file"), b"new")
    assert (place / "victim").read_bytes() == b"theirs"
    assert (place / "file").read_bytes() == b"old"
    durable.replace_file(str(place / "file"), b"new")
    assert (place / "file").read_bytes() == b"new"


def test_a_temporary_left_by_a_crash_is_overwritten(place: Path) -> None:
    (place / "file.tmp").write_bytes(b"half of something long")
    durable.replace_file(str(place / "file"), b"new")

    assert (place / "file").read_bytes() == b"new"
    assert names(place) == ["file"]


def test_the_temporary_is_nobody_elses_to_read(place: Path, recorder: Recorder) -> None:
    """A file of mode 0600 must not be readable for a moment."""
    modes: list[int] = []

    def look(what: str) -> None:
        if what.startswith("write"):
            modes.append(stat.S_IMODE((place / "file.tmp").stat().st_mode))

    recorder.before = look
    old = os.umask(0)
    try:
        durable.replace_file(str(place / "file"), b"new", 0o600)
    finally:
        os.umask(old)

    assert modes == [0o600]


def test_write_all_when_the_system_takes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: short writes."""
    taken = bytearray()

    def short(fd: int, data: memoryview) -> int:
        taken.extend(data[:3])
        return min(3, len(data))

    monkeypatch.setattr(os, "write", short)
    durable.write_all(1, b"0123456789")

    assert taken == b"0123456789"


def test_killed_after_each_step(place: Path, recorder: Recorder) -> None:
    """A118, A139: a reader finds the old bytes or the new ones, whenever the writer dies; the next writer succeeds."""
    found: list[bytes] = []
    step = 0
    while not found or found[-1] != b"finished":
        step += 1
        (place / "file").write_bytes(b"old")
        recorder.done.clear()
        found.append(_replace_in_a_child(place / "file", recorder, step))
        if found[-1] != b"finished":
            durable.replace_file(str(place / "file"), b"next")
            assert names(place) == ["file"]

    assert found == [b"old"] * 5 + [b"new"] * 4 + [b"finished"]


def _replace_in_a_child(path: Path, recorder: Recorder, step: int) -> bytes:
    """What the file holds when the child died after so many calls; b"finished" when it needed fewer."""
    pid = os.fork()
    if not pid:
        recorder.after = lambda count: os._exit(9) if count == step else None
        durable.replace_file(str(path), b"new")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return path.read_bytes() if code == 9 else b"finished"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE])
@pytest.mark.parametrize("call", ["open", "write", "fchmod", "fsync", "rename"])
def test_a_step_that_fails(place: Path, recorder: Recorder, call: str, number: int) -> None:
    """A136, A137: the error comes up, nothing is renamed, nothing is tried again, nothing is left over."""
    asked: list[str] = []

    def fail(what: str) -> None:
        asked.append(what.partition(" ")[0])
        if what.startswith(call):
            raise OSError(number, os.strerror(number))

    recorder.before = fail

    with pytest.raises(OSError, match=os.strerror(number)):
        durable.replace_file(str(place / "file"), b"new")
    recorder.before = lambda what: None
    assert asked.count(call) == 1
    assert call == "rename" or "rename" not in asked
    assert (place / "file").read_bytes() == b"old"
    assert names(place) == ["file"]


@pytest.mark.parametrize("change", [
    lambda place: durable.replace_file(f"{place}/file", b"new"),
    lambda place: durable.rename(f"{place}/file", f"{place}/other/name"),
    lambda place: durable.unlink(f"{place}/file"),
])
def test_a_directory_that_cannot_be_synced(place: Path, recorder: Recorder, change: Callable[[Path], None]) -> None:
    """A136: nobody is told that the change will survive, and the sync is not tried again."""
    asked: list[str] = []

    def fail(what: str) -> None:
        if what.split()[:2] in (["fsync", "place"], ["fsync", "other"]):
            asked.append(what)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    recorder.before = fail

    with pytest.raises(OSError, match="Input/output error"):
        change(place)
    recorder.before = lambda what: None
    assert len(asked) == 1
    assert "file.tmp" not in names(place)


def test_rename_with_a_sync_of_the_callers(place: Path, recorder: Recorder) -> None:
    """It is told which directories to sync, once the name is there; nothing else is."""
    told: list[str] = []
    durable.rename(str(place / "file"), str(place / "name"), told.append)

    assert recorder.order() == ["rename file name"]
    assert told == [str(place)]
