"""The transitions, one by one: what is there before and after, and in which order the disk is asked."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from holdq.heldfile import FAILED, TO_DO, OddError
from tests.holdq.site import END, Site, shown


class Order:
    """Notes the calls that change names or make things durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        for name in ("rename", "unlink", "fsync", "pwrite", "link"):
            monkeypatch.setattr(os, name, self._noted(name, getattr(os, name)))

    def _noted(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            words = [shown(argument) for argument in arguments[:2 if name == "rename" else 1]]
            self.done.append(re.sub(r"[0-9a-f]{8}-[0-9a-f]{16}", "ID", " ".join([name, *words])))
            return real(*arguments, **named)
        return call


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Order]:
    return lambda: Order(monkeypatch)


MakeOrder = Callable[[], Order]


def test_claim(site: Site, order: MakeOrder) -> None:
    """A134, A135: the new directory before the old one."""
    identity = site.put()
    noted = order()
    held = site.store.claim(identity)

    assert noted.done == ["rename incoming/ID hold/ID,0,0,0,-", "fsync holdq/hold", "fsync holdq/incoming"]
    assert site.left() == [f"hold/{held.name}"]


@pytest.mark.parametrize("odd", ["link", "fifo", "directory", "hard"])
def test_claim_takes_only_files(site: Site, odd: str) -> None:
    """A132"""
    identity = site.put()
    path = Path(site.spool.incoming, identity)
    if odd == "hard":
        os.link(path, f"{path}.x")
    else:
        path.unlink()
        {"link": lambda: path.symlink_to("/etc/passwd"), "fifo": lambda: os.mkfifo(path), "directory": path.mkdir}[odd]()

    with pytest.raises(OddError):
        site.store.claim(identity)


def test_begin_is_on_record_before_the_attempt(site: Site, order: MakeOrder) -> None:
    """A145"""
    held = site.hold()
    noted = order()
    begun = site.store.begin(held)

    assert noted.done == ["rename hold/ID,0,0,0,- hold/ID,1,1,0,-", "fsync holdq/hold"]
    assert site.store.held() == ([begun], [])


def test_postpone(site: Site, order: MakeOrder) -> None:
    held = site.store.begin(site.hold())
    noted = order()
    waiting = site.store.postpone(held, 1234)

    assert noted.done == ["rename hold/ID,1,1,0,- hold/ID,1,0,1234,-", "fsync holdq/hold"]
    assert site.store.held() == ([waiting], [])


def test_bury_and_revive(site: Site, order: MakeOrder) -> None:
    held = site.store.begin(site.hold(END, b"a@b.c", b"one", b"two"))
    with site.store.open(held) as file:
        file.mark([list(file.recipients())[1].offset], FAILED)
    noted = order()
    buried = site.store.bury(held)

    assert noted.done == ["rename hold/ID,1,1,0,- dead/ID,1,0,0,-", "fsync holdq/dead", "fsync holdq/hold"]
    assert site.store.buried() == ([buried], [])

    noted.done.clear()
    with site.store.open(buried, dead=True) as file:
        alive = site.store.revive(buried, file)

    assert noted.done == ["pwrite dead/ID,1,0,0,-", "fsync dead/ID,1,0,0,-", "rename dead/ID,1,0,0,- hold/ID,1,0,0,r",
                          "fsync holdq/hold", "fsync holdq/dead"]
    with site.store.open(alive) as file:
        assert [recipient.mark for recipient in file.recipients()] == [TO_DO, TO_DO]


def test_finish_takes_the_reasons_along(site: Site, order: MakeOrder) -> None:
    held = site.hold()
    site.store.tell_why(held.identity, "later x@y.z: no room")
    noted = order()
    site.store.finish(held)

    assert noted.done == ["unlink hold/ID,0,0,0,-", "fsync holdq/hold", "unlink why/ID", "fsync holdq/why"]
    assert site.left() == []


def test_release(site: Site) -> None:
    held = site.store.postpone(site.store.begin(site.hold()), 99)

    assert site.store.release(held) == held._replace(due=0, released=True)
    assert site.left() == [f"hold/{held.identity},1,0,0,r"]


def test_reasons_are_private_and_bounded(site: Site) -> None:
    held = site.hold()
    site.store.tell_why(held.identity, "x" * 100_000)

    assert site.store.why(held.identity) == "x" * 65536
    assert stat.S_IMODE(Path(site.spool.why, held.identity).stat().st_mode) == 0o600
    assert site.store.why("6920a3c1-9f3c2a7b51d2e4f6") == ""


def test_what_is_odd_gets_a_name_of_ours(site: Site) -> None:
    """A132: a newline, "..", bytes that are no UTF-8."""
    for name in (b"a\nb", b"..x", b"\xff\xfe", b"-rf", b"x" * 200):
        Path(os.fsdecode(f"{site.spool.hold}/".encode() + name)).write_bytes(b"")
    held, odd = site.store.held()
    for name in odd:
        site.store.put_aside(site.spool.hold, name)

    assert held == []
    assert len(odd) == 5
    assert site.store.odd() == 5
    assert all(re.fullmatch(r"[0-9a-f]{8}\.[A-Za-z0-9_-]{1,60}", name) for name in os.listdir(site.spool.odd))


def test_arrivals_are_told_apart(site: Site) -> None:
    first, second = site.put(now=1_800_000_001), site.put(now=1_800_000_000)
    for name in ("part.6920a3c1-9f3c2a7b51d2e4f6", "part.x", ".hidden"):
        Path(site.spool.incoming, name).write_bytes(b"")

    accepted, odd = site.store.arrivals()
    assert accepted == [second, first]
    assert sorted(odd) == [".hidden", "part.x"]
    assert site.store.parts() == ["part.6920a3c1-9f3c2a7b51d2e4f6"]
