"""Cleaning up: a row of the table in INTERNALS.md section 8 each."""

import fcntl
import os
from pathlib import Path

import pytest

from tests.holdq.site import Site
from tests.holdq.test_heldfile import PLANTED

ID = "6920a3c1-9f3c2a7b51d2e4f6"


def test_the_part_of_a_dead_writer_is_swept_however_young(site: Site) -> None:
    Path(site.spool.incoming, f"part.{ID}").write_bytes(b"half a mess")

    assert site.recover() == []
    assert site.left() == []


def test_the_part_of_a_living_writer_is_left_however_old(site: Site) -> None:
    """A141: no clock is asked."""
    path = Path(site.spool.incoming, f"part.{ID}")
    path.write_bytes(b"half a mess")
    os.utime(path, (0, 0))
    with path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        site.recover()
        assert site.left() == [f"incoming/part.{ID}"]
    site.recover()

    assert site.left() == []


def test_messages_stay_where_they_are(site: Site) -> None:
    site.put()
    tried = site.store.begin(site.hold())
    site.store.tell_why(tried.identity, "why")
    dead = site.store.bury(site.store.begin(site.hold()))
    site.store.tell_why(dead.identity, "why")
    before = site.left()

    assert site.recover() == []
    assert site.left() == before
    assert len(before) == 5


@pytest.mark.parametrize("name", [ID, f"{ID}.tmp"])
def test_reasons_without_a_message_are_swept(site: Site, name: str) -> None:
    Path(site.spool.why, name).write_bytes(b"why")
    site.recover()

    assert site.left() == []


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("directory", ["incoming", "hold", "dead"])
def test_what_is_planted_is_put_aside(site: Site, plant: object, directory: str) -> None:
    """A132"""
    plant(Path(site.spool.directory, directory, "pl\nanted"))  # type: ignore[operator]
    (path, why), = site.recover()

    assert path.endswith("pl\nanted")
    assert "odd/" in why
    assert os.listdir(Path(site.spool.directory, directory)) == []
    assert len(os.listdir(site.spool.odd)) == 1
    assert site.recover() == []


@pytest.mark.parametrize("plant", [plant for plant in PLANTED if plant.__name__ not in ("plant_text", "plant_empty")])
def test_what_is_planted_as_a_part_is_gone(site: Site, plant: object) -> None:
    plant(Path(site.spool.incoming, f"part.{ID}"))  # type: ignore[operator]
    site.recover()

    assert os.listdir(site.spool.incoming) == []
    assert site.recover() == []


def test_what_is_damaged_in_dead_is_put_aside(site: Site) -> None:
    """It would stay for ever: nobody tries it."""
    good, bad = site.store.bury(site.hold()), site.store.bury(site.hold())
    path = Path(site.store.path(bad, dead=True))
    path.write_bytes(path.read_bytes()[:-1])
    (where, why), = site.recover()

    assert where == str(path)
    assert "odd/" in why
    assert site.store.buried()[0] == [good]


@pytest.mark.root
def test_what_cannot_even_be_renamed_is_reported_and_left(site: Site) -> None:
    """A mount point, in the way as a directory of another user is."""
    path = Path(site.spool.incoming, "mounted")
    path.mkdir()
    assert os.system(f"mount -t tmpfs -o size=64k none {path}") == 0
    try:
        (_, why), = site.recover()
        assert "left there" in why
    finally:
        assert os.system(f"umount {path}") == 0
