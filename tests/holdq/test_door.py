"""The door: mail over the runner's socket, and visitors who do not behave."""

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from holdq import door, wire
from holdq.door import Door
from holdq.heldfile import HeldFile
from tests.holdq.site import END, Site
from tests.servers import wait_until

ENVELOPE = b"Fa@b.c\0Tx@y.z\0\0"


@contextmanager
def opened(site: Site, idle: float = 20, whole: float = 20) -> Iterator[Door]:
    made = Door(site.spool, -1, site.log, idle, whole)
    yield made
    made.close(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "door" and thread.join(5)]


def visit(site: Site) -> socket.socket:
    visitor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    visitor.settimeout(20)
    visitor.connect(site.spool.door)
    return visitor


def tell(site: Site, *frames: bytes) -> int | None:
    """The answer to some frames; None for none."""
    with visit(site) as visitor:
        with suppress(BrokenPipeError):  # the answer may come before everything was sent
            visitor.sendall(b"".join(frames))
            visitor.shutdown(socket.SHUT_WR)
        answer = visitor.recv(10)
        return answer[0] if answer else None


HELLO = wire.frame(b"H", wire.HELLO)
WHOLE = (HELLO, wire.frame(b"M", b"Subject: x\n\n"), wire.frame(b"M", END), wire.frame(b"E", ENVELOPE), wire.frame(b"Q"))


def test_a_message(site: Site) -> None:
    with opened(site):
        assert tell(site, *WHOLE) == 0

    identity, = site.store.arrivals()[0]
    with HeldFile(f"{site.spool.incoming}/{identity}", lock=False) as file:
        assert b"".join(file.body()).endswith(b"Subject: x\n\n" + END)
        assert (file.trailer.uid, file.trailer.pid) == (os.getuid(), os.getpid())
    assert [event for event, _ in site.lines] == ["hold"]
    assert site.lines[0][1]["hold"] == os.getpid()


def test_byte_by_byte(site: Site) -> None:
    with opened(site), visit(site) as visitor:
        for byte in b"".join(WHOLE):
            visitor.sendall(bytes([byte]))
        assert visitor.recv(1) == b"\0"


@pytest.mark.parametrize("frames", [WHOLE[:1], WHOLE[:2], WHOLE[:3], WHOLE[:4], (*WHOLE[:4], b"Q\0\0"), (b"",)])
def test_an_end_before_the_end_gives_nothing(site: Site, frames: tuple[bytes, ...]) -> None:
    with opened(site):
        assert tell(site, *frames) == 74

    assert site.left() == []


@pytest.mark.parametrize(("frames", "code"), [
    (WHOLE[1:], 74), ((wire.frame(b"H", b"holdq2"), *WHOLE[1:]), 74), ((HELLO, b"Z\0\0\0\0"), 74),
    ((HELLO, b"M\xff\xff\xff\xff"), 74), ((b"GET / HTTP/1.1\r\n\r\n",), 74),
    ((HELLO, wire.frame(b"E", b"Fa\0\0"), wire.frame(b"Q")), 91),
    ((HELLO, *WHOLE), 74), ((*WHOLE[:2], *WHOLE), 74), ((*WHOLE[:4], *WHOLE[2:]), 74),
    ((*WHOLE[:3], wire.frame(b"E", b"F"), *WHOLE[2:]), 74), ((*WHOLE[:4], *WHOLE[3:]), 74),
    ((HELLO, wire.frame(b"E", b"Fa\0T" + b"x" * 1003)), 11), ((HELLO, wire.frame(b"E", b"Fa\0Tb\0"), wire.frame(b"Q")), 54),
])
def test_nonsense_gives_nothing(site: Site, frames: tuple[bytes, ...], code: int) -> None:
    with opened(site):
        assert tell(site, *frames) == code
        assert tell(site, *WHOLE) == 0

    assert len(site.left()) == 1


def test_who_falls_silent_is_sent_away(site: Site) -> None:
    with opened(site, idle=0.1), visit(site) as visitor:
        visitor.sendall(WHOLE[0] + WHOLE[1])
        assert visitor.recv(1) == bytes([52])

    assert site.left() == []


def test_who_dawdles_is_sent_away(site: Site) -> None:
    """A34: a byte now and then does not renew the whole time."""
    with opened(site, whole=0.3), visit(site) as visitor:
        visitor.sendall(WHOLE[0])
        with pytest.raises(BrokenPipeError):  # noqa: PT012  # one of them
            for _ in range(100):
                visitor.sendall(WHOLE[1])
                time.sleep(0.05)
        assert visitor.recv(1) == bytes([52])

    assert site.left() == []


def test_who_dawdles_within_a_frame_is_sent_away(site: Site) -> None:
    """A34"""
    with opened(site, whole=0.3), visit(site) as visitor:
        visitor.sendall(WHOLE[0] + wire.HEAD.pack(b"M", 1000))
        with pytest.raises(BrokenPipeError):  # noqa: PT012  # one of them
            for _ in range(100):
                visitor.sendall(b"x")
                time.sleep(0.05)
        assert visitor.recv(1) == bytes([52])

    assert site.left() == []


def test_who_falls_silent_waits_for_the_whole_time_at_most(site: Site) -> None:
    with opened(site, idle=20, whole=0.2), visit(site) as visitor:
        visitor.sendall(WHOLE[0] + b"M")
        started = time.monotonic()
        assert visitor.recv(1) == bytes([52])
        assert time.monotonic() - started < 10


def test_a_visitor_who_waits_does_not_hold_the_others(site: Site) -> None:
    with opened(site), visit(site) as silent:
        silent.sendall(WHOLE[0])
        assert tell(site, *WHOLE) == 0


def test_one_user_does_not_take_all_places(site: Site) -> None:
    with opened(site):
        silent = [visit(site) for _ in range(door.PER_UID)]
        for visitor in silent:
            visitor.sendall(WHOLE[0])
        wait_until(lambda: len(site.store.parts()) == door.PER_UID)
        assert tell(site, *WHOLE) == 71
        for visitor in silent:
            visitor.close()
        wait_until(lambda: site.left() == [])
        wait_until(lambda: tell(site, *WHOLE) == 0)  # a place is free a moment after its files are gone


def test_a_full_disk_is_53(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A137"""
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with opened(site):
        monkeypatch.setattr(os, "fsync", full)
        assert tell(site, *WHOLE) == 53
        monkeypatch.undo()
        assert tell(site, *WHOLE) == 0

    assert [event for event, _ in site.lines] == ["fault", "hold"]
    assert len(site.left()) == 1


def test_a_door_of_a_dead_runner_is_replaced(site: Site) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(site.spool.door)
    with opened(site):
        assert stat.S_IMODE(Path(site.spool.door).stat().st_mode) == 0o666
        assert tell(site, *WHOLE) == 0


def test_many_at_once(site: Site) -> None:
    answers = []
    with opened(site):
        threads = [threading.Thread(target=lambda: answers.append(tell(site, *WHOLE))) for _ in range(door.PER_UID)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == [0] * door.PER_UID
    assert len(site.store.arrivals()[0]) == door.PER_UID
