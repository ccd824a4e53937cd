"""The way in: what is on the disk, in which order, and what is not there when it fails."""

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from holdq import incoming
from holdq.heldfile import BusyError, HeldFile
from holdq.incoming import Arrival
from qsmtpd.qmail.envelope import EnvelopeError
from tests.holdq.site import END, NOW, Site, shown


def arrival(site: Site, uid: int = 1000, pid: int = 77, network: int = 7101) -> Arrival:
    return Arrival(site.spool, uid, pid, network, NOW)


def test_one_file_holds_message_envelope_and_trailer(site: Site) -> None:
    came = arrival(site)
    came.message(b"Subject: x\n\n")
    came.message(END)
    assert not came.envelope(b"Fa@b.c\0T")
    assert came.envelope(b"x@y.z\0Tq@y.z\0\0what follows is ignored")
    came.accept()

    text = Path(site.spool.incoming, came.identity).read_bytes()
    received = b"Received: (holdq 77 invoked by uid 1000); 15 Jan 2027 08:00:00 -0000\n"
    message = received + b"Subject: x\n\n" + END
    envelope = b"Fa@b.c\0Tx@y.z\0Tq@y.z\0\0"
    assert text[:-93] == message + envelope
    assert text[-93:] == b"holdq1 %019d %019d 0000000002 001800000000 0000001000 0000000077\n" % (len(message), len(envelope))


@pytest.mark.parametrize("sizes", [(1,), (65535, 1, 1), (65536,), (200_000, 5), (40_000,) * 5])
def test_pieces_of_any_size(site: Site, sizes: tuple[int, ...]) -> None:
    """A large message is not kept in memory, and no byte of it depends on how it came."""
    came = arrival(site)
    came.message(END)
    for number, size in enumerate(sizes):
        came.message(bytes([65 + number]) * size)
        assert came.size - Path(site.spool.incoming, f"part.{came.identity}").stat().st_size < 65536
    came.envelope(b"Fa@b.c\0Tx@y.z\0\0")
    came.accept()

    with HeldFile(f"{site.spool.incoming}/{came.identity}", lock=False) as file:
        body = b"".join(file.body())
    assert len(body) == came.size
    assert body.endswith(END + b"".join(bytes([65 + number]) * size for number, size in enumerate(sizes)))
    assert file.sender == b"a@b.c"


def test_nothing_comes_after_the_envelope(site: Site) -> None:
    """The file would not be as its trailer says."""
    came = arrival(site)
    came.message(END)
    assert came.envelope(b"Fa@b.c\0Tx@y.z\0\0")
    assert came.envelope(b"Fd@e.f\0Tother@y.z\0\0")
    with pytest.raises(ValueError, match="after the envelope"):
        came.message(END)
    came.accept()

    with HeldFile(f"{site.spool.incoming}/{came.identity}", lock=False) as file:
        assert file.counts()[b"T"] == 1
        assert b"".join(file.body()).count(END) == 1


def test_from_network(site: Site) -> None:
    came = arrival(site, uid=7101)
    came.envelope(b"F\0Tx@y.z\0\0")
    came.accept()

    assert b"Received: (holdq 77 invoked from network); " in Path(site.spool.incoming, came.identity).read_bytes()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_runner_may_read_and_mark_it(site: Site, umask: int) -> None:
    """Whatever the umask of the program's caller."""
    old = os.umask(umask)
    try:
        status = Path(site.spool.incoming, site.put()).stat()
    finally:
        os.umask(old)

    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == Path(site.spool.incoming).stat().st_gid


@pytest.mark.root
def test_a_lost_setgid_bit_does_not_change_the_group(site: Site) -> None:
    os.chown(site.spool.incoming, -1, 65534)
    os.chmod(site.spool.incoming, 0o770)

    assert Path(site.spool.incoming, site.put()).stat().st_gid == 65534


@pytest.mark.root
def test_a_group_that_cannot_be_given_is_trouble_and_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """53, and not by the door, which is for those who may not write here."""
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    os.chown(site.spool.incoming, -1, 65534)
    os.chmod(site.spool.incoming, 0o770)
    monkeypatch.setattr(os, "fchown", refused)
    with pytest.raises(OSError, match="setgid") as caught:
        arrival(site)

    assert not isinstance(caught.value, PermissionError)
    assert site.left() == []


def test_order_of_the_durable_steps(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A134: the file, then its name, then the directory; and only then does accept() return and the runner hear of it."""
    done: list[str] = []

    def noted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            done.append(re.sub(r"[0-9a-f]{8}-[0-9a-f]{16}", "ID", f"{name} {shown(arguments[0])}"))
            return real(*arguments, **named)
        return call

    trigger = os.open(site.spool.trigger, os.O_RDONLY | os.O_NONBLOCK)
    came = arrival(site)
    came.envelope(b"Fa@b.c\0Tx@y.z\0\0")
    for name in ("write", "fsync", "rename"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    came.accept()
    monkeypatch.undo()
    os.close(trigger)

    assert done == ["write incoming/part.ID", "fsync incoming/part.ID", "rename incoming/part.ID", "fsync holdq/incoming",
                    "write holdq/trigger"]


@pytest.mark.parametrize(("envelope", "code"), [
    (b"", 54), (b"F", 54), (b"Fa@b.c\0", 54), (b"Fa@b.c\0Tx@y.z\0", 54), (b"Fa@b.c\0\0", 91), (b"Xa@b.c\0", 91),
    (b"Fa@b.c\0Cx@y.z\0", 91), (b"F" + b"a" * 1003 + b"\0", 11), (b"Fa\0T" + b"a" * 5000, 11),
])
def test_a_broken_envelope_leaves_nothing(site: Site, envelope: bytes, code: int) -> None:
    """A52"""
    came = arrival(site)
    came.message(END)
    with pytest.raises(EnvelopeError) as caught:  # noqa: PT012  # whichever of the two sees it
        came.envelope(envelope)
        came.accept()
    came.discard()

    assert caught.value.exit_code == code
    assert site.left() == []


def test_the_longest_address_fits(site: Site) -> None:
    identity = site.put(END, b"s" * 1002, b"r" * 1002)

    with HeldFile(f"{site.spool.incoming}/{identity}", lock=False) as file:
        assert file.sender == b"s" * 1002
        assert [recipient.address for recipient in file.recipients()] == [b"r" * 1002]


def test_a_disk_that_is_full_in_the_midst_of_a_message(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A137."""
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    came = arrival(site)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        came.message(b"x" * 65536)
    came.discard()
    monkeypatch.undo()

    assert site.left() == []


@pytest.mark.parametrize("fails", ["write", "fsync", "rename", "directory"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_trouble_with_the_disk_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch, fails: str, number: int) -> None:
    """A136, A137: the fsync is not repeated, and what was written is discarded."""
    asked = []

    def failing(fd: int, *arguments: object) -> None:
        asked.append(fd)
        raise OSError(number, os.strerror(number))

    came = arrival(site)
    came.envelope(b"Fa@b.c\0Tx@y.z\0\0")
    if fails == "directory":
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: failing(fd) if stat.S_ISDIR(os.fstat(fd).st_mode) else real(fd))
    else:
        monkeypatch.setattr(os, fails, failing)
    with pytest.raises(OSError, match=os.strerror(number)):
        came.accept()
    assert len(asked) == 1
    came.discard()
    monkeypatch.undo()

    assert site.left() == []


def test_a_sweep_between_open_and_lock_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """INTERNALS.md section 6: the writer finds its file without a name, and begins again."""
    real = incoming.fcntl.flock
    swept = []

    def flock(fd: int, operation: int) -> None:
        if not swept:
            swept.append(os.readlink(f"/proc/self/fd/{fd}"))
            os.unlink(swept[0])
        real(fd, operation)

    monkeypatch.setattr(incoming.fcntl, "flock", flock)
    identity = site.put()

    assert site.left() == [f"incoming/{identity}"]
    assert identity not in swept[0]


def test_a_living_writer_is_not_swept(site: Site) -> None:
    came = arrival(site)
    came.message(END)
    site.recover()
    came.envelope(b"Fa@b.c\0Tx@y.z\0\0")
    came.accept()

    assert site.left() == [f"incoming/{came.identity}"]


def test_placed_and_given_apart(site: Site) -> None:
    """The caller is told of the directory that he has to sync; till it is given, nobody can take the lock."""
    came, told = arrival(site), list[str]()
    came.message(END)
    came.envelope(b"Fa@b.c\0Tx@y.z\0\0")
    came.place(told.append)

    path = f"{site.spool.incoming}/{came.identity}"
    assert told == [site.spool.incoming]
    with pytest.raises(BusyError):
        HeldFile(path, lock=True)
    came.give()
    with HeldFile(path, lock=True) as file:
        assert b"".join(file.body()).endswith(END)
