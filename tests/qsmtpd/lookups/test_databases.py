"""Databases that change while many sessions look into them; what one session sees is in test_blocking.py."""

import os
from pathlib import Path

import cdbx
import pytest

from qsmtpd.lookups import databases
from qsmtpd.lookups.databases import LOOK_AGAIN, Databases

HELD = 1
"""Descriptors of a database: that of the mapping."""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A directory, its databases, and a clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.databases = Databases(str(path), "/", self.clock)

    def write(self, *keys: bytes) -> None:
        """As tinycdb and validusers do it: a new file, renamed."""
        with (self.path / "new").open("wb") as file:
            maker = cdbx.CDB.make(file)
            for key in keys:
                maker.add(key, b"")
            maker.commit()
        (self.path / "new").rename(self.path / "a.cdb")

    def has(self, key: bytes) -> bool | None:
        database = self.databases.current("a.cdb")
        return None if database is None else key in database

    def later(self) -> None:
        self.clock.now += LOOK_AGAIN


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_change_is_seen_a_second_later(site: Site) -> None:
    site.write(b"old")
    assert site.has(b"old")
    site.write(b"new")
    assert site.has(b"old")
    site.later()
    assert not site.has(b"old")
    assert site.has(b"new")


def test_it_is_open_once_and_the_old_one_is_closed(site: Site) -> None:
    """A session that began before the change keeps the old one open, and nobody else does."""
    site.write(b"old")
    before = descriptors()
    sessions = [site.databases.current("a.cdb") for _ in range(100)]
    assert descriptors() == before + HELD
    site.write(b"new")
    site.later()
    assert site.has(b"new")
    assert descriptors() == before + 2 * HELD
    assert all(found is not None and b"old" in found for found in sessions)
    sessions.clear()
    assert descriptors() == before + HELD


def test_one_that_comes_and_goes(site: Site) -> None:
    assert site.has(b"x") is None
    site.write(b"x")
    assert site.has(b"x") is None
    site.later()
    assert site.has(b"x") is True
    (site.path / "a.cdb").unlink()
    site.later()
    assert site.has(b"x") is None


def test_one_that_is_broken_recovers_by_itself(site: Site) -> None:
    """A130, A144: nobody is known or unknown because of it, and no restart is needed."""
    site.write(b"x")
    assert site.has(b"x")
    (site.path / "a.cdb").write_bytes(bytes(4096))
    site.later()
    before = descriptors()
    for _ in range(3):
        with pytest.raises(OSError, match="no cdb"):
            site.has(b"x")
    assert descriptors() == before - HELD, "the good one is closed, and no bad one is open"
    site.write(b"x", b"y")
    assert site.has(b"y")


@pytest.mark.parametrize("size", [2100, 2048, 1000, 4])
def test_one_that_is_cut_off_leaves_no_descriptor_open(site: Site, size: int) -> None:
    """A130, A131: asked for each recipient, it would soon have taken all there are."""
    site.write(*[b"user%d" % number for number in range(100)])
    whole = (site.path / "a.cdb").read_bytes()
    before = descriptors()
    (site.path / "a.cdb").write_bytes(whole[:size])
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 - cdbx has a word for each
            site.has(b"user1")

    assert descriptors() == before


def test_written_in_place_with_the_same_size(site: Site) -> None:
    """Not how it should be done, and seen all the same."""
    site.write(b"old")
    assert site.has(b"old")
    text = (site.path / "a.cdb").read_bytes()
    site.write(b"new")
    other = (site.path / "a.cdb").read_bytes()
    site.write(b"old")
    site.later()
    assert site.has(b"old")
    assert len(text) == len(other)
    (site.path / "a.cdb").write_bytes(other)
    site.later()
    assert site.has(b"new")


def test_a_copy_cannot_be_changed_under_us_whatever_becomes_of_the_file(site: Site) -> None:
    """A131: truncated in place, it neither ends us by SIGBUS nor makes anybody unknown until it is looked at again."""
    site.write(b"x")
    assert site.has(b"x")

    os.truncate(site.path / "a.cdb", 0)

    assert site.has(b"x")
    site.later()
    with pytest.raises(OSError, match="no cdb"):
        site.has(b"x")


def test_one_that_is_too_large_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "COPIED_MAX", 100)
    before = descriptors()
    site.write(b"x")

    assert site.has(b"x")
    assert not site.has(b"y")
    assert descriptors() == before + 1
