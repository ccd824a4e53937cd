"""Message files as they are read, and what is not taken for one."""

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdq.heldfile import DONE, FAILED, TO_DO, BusyError, HeldFile, OddError
from tests.holdq.site import END, Site

ADDRESS = st.binary(min_size=1, max_size=60).map(lambda address: address.replace(b"\0", b"x"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.binary(max_size=300), ADDRESS | st.just(b""), st.lists(ADDRESS, min_size=1, max_size=40))
def test_round_trip(site: Site, body: bytes, sender: bytes, recipients: list[bytes]) -> None:
    path = f"{site.spool.incoming}/{site.put(body, sender, *recipients)}"
    with HeldFile(path, lock=False) as file:
        assert b"".join(file.body()).endswith(b"-0000\n" + body)
        assert file.sender == sender
        assert [recipient.address for recipient in file.recipients()] == recipients
        assert file.trailer.recipients == len(recipients)
    os.unlink(path)


def test_long_envelopes_and_messages_are_read_in_pieces(site: Site) -> None:
    body = os.urandom(200_000)
    recipients = [b"%d@%s" % (number, b"d" * (number % 990)) for number in range(1000)]
    with HeldFile(f"{site.spool.incoming}/{site.put(body, b'a@b.c', *recipients)}", lock=False) as file:
        assert b"".join(file.body()).endswith(body)
        assert [recipient.address for recipient in file.recipients()] == recipients
        assert max(len(piece) for piece in file.body()) <= 65536


def test_marks_stay(site: Site) -> None:
    path = f"{site.spool.incoming}/{site.put(END, b'a@b.c', b'one', b'two', b'three')}"
    with HeldFile(path, lock=True) as file:
        offsets = [recipient.offset for recipient in file.recipients()]
        file.mark(offsets[1:2], DONE)
        file.mark(offsets[2:], FAILED)

    with HeldFile(path, lock=True) as file:
        assert [(recipient.mark, recipient.address) for recipient in file.recipients()] == [
            (TO_DO, b"one"), (DONE, b"two"), (FAILED, b"three")]
        assert file.counts() == {TO_DO: 1, DONE: 1, FAILED: 1}
    assert b"Fa@b.c\0Tone\0Dtwo\0Xthree\0\0holdq1 " in Path(path).read_bytes()


def test_header(site: Site) -> None:
    path = f"{site.spool.incoming}/{site.put(b'Subject: x' + bytes([10, 10]) + b'body')}"
    with HeldFile(path, lock=False) as file:
        assert file.header().endswith(b"-0000\nSubject: x\n")
        assert len(file.header(20)) == 20


def test_one_at_a_time(site: Site) -> None:
    path = f"{site.spool.incoming}/{site.put()}"
    with HeldFile(path, lock=True):
        with pytest.raises(BusyError):
            HeldFile(path, lock=True)
        with HeldFile(path, lock=False):
            pass
    with HeldFile(path, lock=True):
        pass


def plant_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def plant_hard_link(path: Path) -> None:
    other = path.parent.parent / "other"
    other.write_bytes(b"")
    os.link(other, path)


def plant_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(path.name)
    os.chdir(here)


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_directory(path: Path) -> None:
    (path / "in it").mkdir(parents=True)


def plant_text(path: Path) -> None:
    path.write_bytes(b"Subject: by hand\n\nhello\n")


def plant_empty(path: Path) -> None:
    path.write_bytes(b"")


PLANTED = [plant_link, plant_hard_link, plant_socket, plant_fifo, plant_directory, plant_text, plant_empty]


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("lock", [False, True])
def test_what_is_planted_is_odd(site: Site, plant: object, lock: bool) -> None:
    """A132: nothing is followed, nothing is waited for."""
    path = Path(site.spool.hold, "planted")
    plant(path)  # type: ignore[operator]

    with pytest.raises(OddError):
        HeldFile(str(path), lock=lock)


def test_another_link_is_odd(site: Site) -> None:
    """A132: somebody could change it under that name while we deliver it."""
    path = f"{site.spool.incoming}/{site.put()}"
    os.link(path, f"{path}.x")

    with pytest.raises(OddError, match="another link"):
        HeldFile(path, lock=True)


@pytest.mark.root
def test_a_device_is_not_even_opened(site: Site) -> None:
    path = Path(site.spool.hold, "planted")
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))

    with pytest.raises(OddError):
        HeldFile(str(path), lock=True)


@pytest.mark.root
def test_a_foreign_owner_is_odd(site: Site) -> None:
    """A132: only who gave it, or the runner, may own it."""
    path = f"{site.spool.incoming}/{site.put()}"
    os.chown(path, 65534, -1)

    with pytest.raises(OddError, match="uid 65534 owns it, and it says that uid 0 gave it"):
        HeldFile(path, lock=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_odd_or_still_makes_sense(site: Site, data: st.DataObject) -> None:
    """Bytes behind the message overwritten, cut, added: OddError is all that comes of it."""
    path = Path(site.spool.incoming, site.put(END, b"a@b.c", b"x@y.z", b"q@y.z"))
    text = bytearray(path.read_bytes())
    at = data.draw(st.integers(80, len(text) - 1))
    piece = data.draw(st.binary(max_size=5))
    text[at:at + data.draw(st.integers(0, 5))] = piece
    path.write_bytes(bytes(text))
    try:
        with HeldFile(str(path), lock=False) as file:
            file.counts()
            b"".join(file.body())
    except OddError:
        pass
    path.unlink()


@pytest.mark.parametrize("kind", ["gone", "in a directory that is gone"])
def test_gone(site: Site, kind: str) -> None:
    name = "x" if kind == "gone" else "x/y"
    with pytest.raises(FileNotFoundError):
        HeldFile(f"{site.spool.hold}/{name}", lock=True)


def test_a_file_that_may_not_be_opened_is_trouble_not_odd(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be mail that got a wrong group: it is not put aside."""
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    held = site.hold()
    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PermissionError):
        HeldFile(site.store.path(held), lock=True)
