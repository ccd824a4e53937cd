"""Making a spool, and refusing one in which others could plant, change or read mail."""

import os
import socket
import stat
from pathlib import Path

import pytest

from holdq import create
from holdq.create import SpoolError
from holdq.layout import Spool
from tests.holdq.site import Site

MODES = {"": 0o2755, "incoming": 0o2770, "hold": 0o700, "dead": 0o700, "why": 0o700, "odd": 0o700, "lock": 0o600,
         "trigger": 0o620}


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_modes(tmp_path: Path, umask: int) -> None:
    """As the table in INTERNALS.md section 1, whatever the umask."""
    spool = Spool(str(tmp_path / "holdq"))
    old = os.umask(umask)
    try:
        create.create(spool, create.owner(one_uid=True))
    finally:
        os.umask(old)

    assert {name: mode(f"{spool.directory}/{name}") for name in MODES} == MODES
    create.check(spool)


def test_to_repeat_it_mends_modes_and_keeps_mail(site: Site) -> None:
    identity = site.put()
    os.chmod(site.spool.incoming, 0o777)
    os.unlink(site.spool.trigger)
    create.create(site.spool, create.owner(one_uid=True))

    create.check(site.spool)
    assert site.store.arrivals()[0] == [identity]


@pytest.mark.parametrize(("name", "wrong"), [
    ("", 0o2777), ("", 0o2775), ("incoming", 0o2777), ("incoming", 0o2772), ("hold", 0o750), ("dead", 0o701), ("why", 0o755),
    ("odd", 0o1777)])
def test_a_spool_open_to_others_is_refused(site: Site, name: str, wrong: int) -> None:
    """A133: one line, which says what to do."""
    path = os.path.normpath(f"{site.spool.directory}/{name}")
    os.chmod(path, wrong)
    with pytest.raises(SpoolError, match=f"^{path}: mode {wrong:o} lets others in: chmod {MODES[name]:o} {path}$"):
        create.check(site.spool)


def test_a_lost_setgid_bit_is_refused(site: Site) -> None:
    """A133: mail would get the group of who gave it, and the runner could not read it."""
    os.chmod(site.spool.incoming, 0o770)
    path = site.spool.incoming
    with pytest.raises(SpoolError, match=f"^{path}: mode 770 gives mail another group: chmod 2770 {path}$"):
        create.check(site.spool)


@pytest.mark.root
def test_another_group_of_incoming_is_refused(site: Site) -> None:
    os.chown(site.spool.incoming, -1, 65534)
    with pytest.raises(SpoolError, match=f"its group is 65534, the spool's is {os.getegid()}: chgrp {os.getegid()} "):
        create.check(site.spool)


def test_a_path_too_long_for_the_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="too long a path for its socket"):
        create.check(Spool(str(tmp_path / ("x" * 107))))


def test_the_parent_is_made_first(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=f"^{tmp_path}/none: no such directory: make the parent directory first$"):
        create.create(Spool(str(tmp_path / "none/holdq")), create.owner(one_uid=True))


@pytest.mark.root
def test_a_spool_of_another_user_is_refused(site: Site) -> None:
    """A133: root does not run it either, and would leave files that holdq cannot touch."""
    os.chown(site.spool.hold, 65534, -1)
    with pytest.raises(SpoolError, match="belongs to uid 65534, and I run as 0: run me as that user"):
        create.check(site.spool)


@pytest.mark.parametrize("name", ["hold", "trigger"])
def test_what_is_missing_is_named(site: Site, name: str) -> None:
    path = Path(site.spool.directory, name)
    path.rmdir() if name == "hold" else path.unlink()
    with pytest.raises(SpoolError, match=f'{name}: No such file or directory: "holdq init" makes it'):
        create.check(site.spool)


def test_no_spool_at_all(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="no spool there"):
        create.check(Spool(str(tmp_path / "nothing")))


@pytest.mark.parametrize("name", ["hold", "lock"])
def test_a_link_in_the_way_is_not_followed(site: Site, name: str) -> None:
    """A132"""
    path = Path(site.spool.directory, name)
    path.rmdir() if name == "hold" else path.unlink()
    elsewhere = site.path / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere)

    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        create.create(site.spool, create.owner(one_uid=True))
    assert mode(str(elsewhere)) != 0o700


def test_a_lock_that_is_another_file_too_is_not_given_away(site: Site) -> None:
    """A132: init by root would make holdq its owner."""
    victim = site.path / "victim"
    victim.write_bytes(b"")
    victim.chmod(0o644)
    os.unlink(site.spool.lock)
    os.link(victim, site.spool.lock)

    with pytest.raises(SpoolError, match="another link"):
        create.create(site.spool, create.owner(one_uid=True))
    assert mode(str(victim)) == 0o644


@pytest.mark.parametrize("plant", [lambda path: path.write_bytes(b""), lambda path: path.mkdir()])
def test_a_trigger_that_is_no_fifo(site: Site, plant: object) -> None:
    """It would be readable all the time."""
    Path(site.spool.trigger).unlink()
    plant(Path(site.spool.trigger))  # type: ignore[operator]

    with pytest.raises(SpoolError, match="not a FIFO"):
        create.check(site.spool)
    with pytest.raises(SpoolError, match="not a FIFO"):
        create.create(site.spool, create.owner(one_uid=True))


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with pytest.raises(SpoolError, match="too long a path for its socket: at most 102 bytes"):
        create.create(Spool(str(deep / "holdq")), create.owner(one_uid=True))


def test_the_longest_path_is_the_systems(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, pytest.raises(OSError, match="AF_UNIX path too long"):
        listener.bind("/" + "x" * create.DOOR_MAX)
