"""One attempt: what becomes of each recipient, and of the message."""

import errno
import os
from pathlib import Path

import pytest

from holdq import schedule
from holdq.heldfile import DONE, FAILED, TO_DO, BusyError
from holdq.names import Held
from holdq.targets import Result, Verdict
from tests.holdq.site import END, NOW, Scripted, Site

LATER = Result(Verdict.LATER, "no room")
NEVER = Result(Verdict.FAILED, "no mailbox here by that name")


@pytest.fixture
def target(site: Site) -> Scripted:
    return Scripted(site.path / "delivered")


def hold(site: Site, *recipients: bytes) -> Held:
    return site.hold(END, b"a@b.c", *recipients)


def marks(site: Site, held: Held, *, dead: bool = False) -> list[tuple[bytes, bytes]]:
    with site.store.open(held, dead=dead, lock=False) as file:
        return [(recipient.mark, recipient.address) for recipient in file.recipients()]


def test_delivered_to_all_is_gone(site: Site, target: Scripted) -> None:
    held = hold(site, b"one", b"two")

    assert site.attempt(target, held) is None
    assert [line.split(maxsplit=1)[1] for line in target.delivered()] == [b"one whole", b"two whole"]
    assert site.left() == []
    assert [(event, pairs["to"], pairs["hold"], pairs["attempt"]) for event, pairs in site.lines] == [
        ("release", b"one", 77, 1), ("release", b"two", 77, 1)]


def test_who_has_it_does_not_get_it_again(site: Site, target: Scripted) -> None:
    target.says[b"two"] = LATER
    held = hold(site, b"one", b"two", b"three")
    waiting = site.attempt(target, held)

    assert waiting == held._replace(attempts=1, due=int(NOW) + schedule.delay(1))
    assert marks(site, waiting) == [(DONE, b"one"), (TO_DO, b"two"), (DONE, b"three")]
    assert site.store.why(held.identity) == "later two: no room\n"
    event, pairs = site.lines[-1]
    assert (event, pairs["until"], pairs["why"]) == ("hold", int(NOW) + 100, b"later two: no room")

    del target.says[b"two"]
    assert site.attempt(target, waiting) is None
    assert [line.split()[1] for line in target.delivered()] == [b"one", b"three", b"two"]
    assert site.left() == []


def test_no_hope_for_one_and_none_waits_is_dead(site: Site, target: Scripted) -> None:
    target.says[b"two"] = NEVER
    held = hold(site, b"one", b"two")

    assert site.attempt(target, held) is None
    (dead,), _ = site.store.buried()
    assert marks(site, dead, dead=True) == [(DONE, b"one"), (FAILED, b"two")]
    assert site.store.why(held.identity) == "failed two: no mailbox here by that name\n"
    assert site.lines[-1][0] == "dead"


def test_the_reason_of_who_failed_stays_while_others_wait(site: Site, target: Scripted) -> None:
    target.says = {b"one": NEVER, b"two": LATER}
    waiting = site.attempt(target, hold(site, b"one", b"two"))
    assert waiting
    assert marks(site, waiting) == [(FAILED, b"one"), (TO_DO, b"two")]

    target.says = {}
    assert site.attempt(target, waiting) is None
    (dead,), _ = site.store.buried()
    assert marks(site, dead, dead=True) == [(FAILED, b"one"), (DONE, b"two")]
    assert site.store.why(dead.identity) == "failed one: no mailbox here by that name\n"


def test_a_lost_reason_is_said_to_be_lost(site: Site, target: Scripted) -> None:
    target.says = {b"one": NEVER, b"two": LATER}
    waiting = site.attempt(target, hold(site, b"one", b"two"))
    assert waiting
    site.store.forget_why(waiting.identity)
    target.says = {}

    assert site.attempt(target, waiting) is None
    assert site.store.why(waiting.identity) == "failed in a former attempt: the reason is lost\n"


def test_given_up_after_its_lifetime(site: Site, target: Scripted) -> None:
    target.says[b"x@y.z"] = LATER
    held = site.store.postpone(site.hold()._replace(), 0)
    os.rename(site.store.path(held), site.store.path(held._replace(attempts=40)))
    held = held._replace(attempts=40)

    assert site.attempt(target, held, NOW + 604_801) is None
    (dead,), _ = site.store.buried()
    assert marks(site, dead, dead=True) == [(TO_DO, b"x@y.z")]
    assert site.store.why(dead.identity) == "later x@y.z: no room\ngiven up after 41 attempts in 604801 s\n"


def test_poison_is_buried_untried(site: Site, target: Scripted) -> None:
    """A145"""
    held = site.hold()
    for _ in range(schedule.CRASHES_MAX):
        held = site.store.begin(held)

    assert site.attempt(target, held) is None
    assert target.delivered() == []
    (dead,), _ = site.store.buried()
    assert (dead.attempts, dead.crashes) == (3, 0)
    assert site.store.why(dead.identity) == "killed the runner 3 times\n"


def test_an_attempt_that_ends_forgives_the_crashes(site: Site, target: Scripted) -> None:
    target.says[b"x@y.z"] = LATER
    held = site.store.begin(site.store.begin(site.hold()))
    waiting = site.attempt(target, held)

    assert waiting == held._replace(attempts=3, crashes=0, due=int(NOW) + schedule.delay(3))


def test_a_message_in_hand_is_busy(site: Site, target: Scripted) -> None:
    held = site.hold()
    with site.store.open(held), pytest.raises(BusyError):
        site.attempt(target, held)
    assert site.left() == [f"hold/{held.name}"]


def test_a_full_disk_is_not_the_messages_fault(site: Site, target: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: however long it is full, nothing is taken for poison and buried."""
    target.says[b"x@y.z"] = LATER
    waiting: Held | None = site.hold()

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for count in range(1, 6):
        monkeypatch.setattr(os, "write", full)
        assert waiting
        waiting = site.attempt(target, waiting)
        monkeypatch.undo()
        assert waiting
        assert (waiting.attempts, waiting.crashes) == (count, 0)
        assert site.left() == [f"hold/{waiting.name}"]
    assert site.lines[-1][0] == "fault"

    target.says.clear()
    assert waiting
    assert site.attempt(target, waiting) is None
    assert len(target.delivered()) == 1


def test_dead_stays_in_hold_while_its_reason_cannot_be_written(site: Site, target: Scripted,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Never dead without a reason."""
    target.says[b"x@y.z"] = NEVER
    held = site.hold()
    Path(site.spool.why, f"{held.identity}.tmp").mkdir()
    waiting = site.attempt(target, held)

    assert waiting
    assert marks(site, waiting) == [(TO_DO, b"x@y.z")]
    assert site.store.buried() == ([], [])


def test_hostile_reasons_and_addresses_are_escaped(site: Site, target: Scripted) -> None:
    """A42, A43"""
    target.says[b"x\n\x1b]0;@y"] = Result(Verdict.LATER, "bad\nreason \x1b[2J \N{RIGHT-TO-LEFT OVERRIDE}")
    held = hold(site, b"x\n\x1b]0;@y")
    site.attempt(target, held)

    why = site.store.why(held.identity)
    assert why == "later x\\x0a\\x1b]0;@y: bad\\x0areason \\x1b[2J \\xe2\\x80\\xae\n"


def test_many_failures_keep_a_bounded_list_of_reasons(site: Site, target: Scripted) -> None:
    recipients = [b"u%d@y.z" % number for number in range(300)]
    target.says = dict.fromkeys(recipients, NEVER)
    held = hold(site, *recipients)

    assert site.attempt(target, held) is None
    assert site.store.why(held.identity).count("\n") == 100
    (dead,), _ = site.store.buried()
    assert {mark for mark, _ in marks(site, dead, dead=True)} == {FAILED}
