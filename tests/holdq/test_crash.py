"""A139: a process dies before every single call that touches the disk; what got exit 0 is delivered, whole, nothing is left.

Each scenario is one transition of INTERNALS.md section 5.  The child is killed with SIGKILL before its n-th call, for every n
until it comes to its end; then a new runner recovers the spool and delivers what is there.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from holdq import main, view
from holdq.heldfile import FAILED
from holdq.names import Held
from holdq.targets import Result, Target, Verdict
from holdq.targets.command import CommandTarget
from holdq.targets.maildir import MaildirTarget, Users
from holdq.targets.queue import QueueTarget
from qsmtpd.qmail.control import Control
from tests.conftest import QmailHome
from tests.holdq.site import END, Scripted, Site, dies

BODY = b"Subject: x\n\n" + bytes(100_000) + b"\n" + END
THREE = (b"one@y.z", b"two@y.z", b"three@y.z")

Scenario = Callable[[Site, Target], Callable[[], object]]
"""Prepares a site, and returns the operation to die in."""


def every_step(path: Path, check: Callable[[Path, int], bool]) -> int:
    """Run check(fresh directory, n) for n = 1, 2, ... until it says that the operation came to its end; returns n."""
    for step in itertools.count(1):
        assert step < 400, "it never comes to its end"
        if not check(path / str(step), step):
            return step
    raise AssertionError


def receivers(target: Scripted) -> Counter[bytes]:
    """How often each recipient got the message; every copy must be whole."""
    lines = [line.split() for line in target.delivered()]
    assert {line[2] for line in lines} <= {b"whole"}
    return Counter(line[1] for line in lines)


def test_accept(tmp_path: Path) -> None:
    """holdq-queue, and the door: whoever saw exit 0 has given the message away."""
    def check(path: Path, step: int) -> bool:
        site = Site(path)
        told = path / "told"

        def enqueue() -> None:
            site.put(BODY, b"a@b.c", *THREE)
            os.symlink("0", told)  # the exit code, and not one of the counted calls

        died = dies(step, enqueue)
        target = Scripted(path / "delivered")
        site.drain(target)
        copies = receivers(target)

        assert copies in ({}, dict.fromkeys(THREE, 1))
        assert copies or not told.is_symlink()
        assert site.left() == []
        return died

    assert every_step(tmp_path, check) > 8


def claim(site: Site, target: Target) -> Callable[[], object]:
    identity = site.put(BODY, b"a@b.c", *THREE)
    return lambda: site.store.claim(identity)


def attempt(site: Site, target: Target) -> Callable[[], object]:
    held = site.hold(BODY, b"a@b.c", *THREE)
    return lambda: site.attempt(target, held)


def attempt_after_postponing(site: Site, target: Target) -> Callable[[], object]:
    """One has it, one failed for good, one is tried again: both marks, then the end in dead/."""
    held = site.hold(BODY, b"a@b.c", *THREE)
    no = Result(Verdict.FAILED, "no")
    waiting = site.attempt(Scripted(site.path / "first", {THREE[0]: no, THREE[1]: Result(Verdict.LATER, "later")}), held)
    assert waiting
    return lambda: site.attempt(target, waiting)


def postpone(site: Site, target: Target) -> Callable[[], object]:
    """The attempt in which one is delivered, one fails for good, one waits."""
    held = site.hold(BODY, b"a@b.c", *THREE)
    says = {THREE[0]: Result(Verdict.FAILED, "no"), THREE[1]: Result(Verdict.LATER, "later")}
    return lambda: site.attempt(Scripted(site.path / "delivered", says), held)


def bury(site: Site, target: Target) -> Callable[[], object]:
    held = site.hold(BODY, b"a@b.c", *THREE)
    says = dict.fromkeys(THREE, Result(Verdict.FAILED, "no"))
    return lambda: site.attempt(Scripted(site.path / "delivered", says), held)


def bury_poison(site: Site, target: Target) -> Callable[[], object]:
    held = site.hold(BODY, b"a@b.c", *THREE)
    for _ in range(3):
        held = site.store.begin(held)
    return lambda: site.attempt(target, held)


def release(site: Site, target: Target) -> Callable[[], object]:
    held = site.store.postpone(site.store.begin(site.hold(BODY, b"a@b.c", *THREE)), 99)

    def operation() -> None:
        with site.store.open(held):
            site.store.release(held)
    return operation


def revive(site: Site, target: Target) -> Callable[[], object]:
    held = site.store.begin(site.hold(BODY, b"a@b.c", *THREE))
    with site.store.open(held) as file:
        file.mark([recipient.offset for recipient in file.recipients()], FAILED)
    site.store.tell_why(held.identity, "why")
    dead = site.store.bury(held)

    def operation() -> None:
        with site.store.open(dead, dead=True) as file:
            site.store.revive(dead, file)
    return operation


def recovery(site: Site, target: Target) -> Callable[[], object]:
    site.put(BODY, b"a@b.c", *THREE)
    Path(site.spool.incoming, "part.6920a3c1-9f3c2a7b51d2e4f6").write_bytes(b"half a mess")
    Path(site.spool.incoming, "odd one").mkdir()
    Path(site.spool.why, "6920a3c1-9f3c2a7b51d2e4f6").write_bytes(b"left over")
    Path(site.spool.why, "6920a3c1-9f3c2a7b51d2e4f6.tmp").write_bytes(b"left over")
    return site.recover


@pytest.mark.parametrize("scenario", [
    claim, attempt, attempt_after_postponing, postpone, bury, bury_poison, release, revive, recovery])
def test_a_held_message_is_delivered_to_everybody(tmp_path: Path, scenario: Scenario) -> None:
    """At least once to each, twice at most to one, and none is forgotten: not by those in dead/ either."""
    def check(path: Path, step: int) -> bool:
        site = Site(path)
        target = Scripted(path / "delivered")
        died = dies(step, scenario(site, target))
        one_place(site)
        site.drain(target)
        for held in site.store.buried()[0]:
            assert site.store.why(held.identity), "dead without a reason"
            with site.store.open(held, dead=True) as file:
                site.store.revive(held, file)
        site.drain(target)
        copies = receivers(target) + receivers(Scripted(path / "first"))

        assert set(copies) == set(THREE)
        assert sorted(copies.values()) in ([1, 1, 1], [1, 1, 2])
        assert [name for name in site.left() if not name.startswith("odd/")] == []
        return died

    assert every_step(tmp_path, check) > 4


def one_place(site: Site) -> None:
    """A message is in exactly one state."""
    identities = [place.held.identity for place in view.places(site.store)]
    assert len(identities) == len(set(identities)) <= 1


def test_remove(tmp_path: Path) -> None:
    """Gone or there, whole; never a part."""
    def check(path: Path, step: int) -> bool:
        site = Site(path)
        held = site.hold(BODY, b"a@b.c", *THREE)
        site.store.tell_why(held.identity, "why")
        died = dies(step, lambda: main._remove_one(site.store, view.places(site.store)[0]))
        target = Scripted(path / "delivered")
        site.drain(target)

        assert receivers(target) in ({}, dict.fromkeys(THREE, 1))
        assert died or not target.delivered()
        assert site.left() == []
        return died

    assert every_step(tmp_path, check) > 4


def maildir(site: Site) -> Target:
    site.users = {recipient.decode(): recipient.decode() for recipient in THREE}
    site.write_users()
    return MaildirTarget(Users(Control(str(site.control))))


def in_maildirs(site: Site) -> list[bytes]:
    return [text for recipient in THREE for text in site.mail(recipient.decode())]


def test_deliver_into_maildirs(tmp_path: Path) -> None:
    """Exactly once each: the second delivery takes the place of the first."""
    def check(path: Path, step: int) -> bool:
        site = Site(path)
        target = maildir(site)
        died = dies(step, attempt(site, target))
        for text in in_maildirs(site):
            assert text.endswith(END), "half a message in new/"
        site.drain(target)

        assert len(in_maildirs(site)) == 3
        assert all(text.endswith(BODY) for text in in_maildirs(site))
        assert [len(os.listdir(site.path / recipient.decode() / "tmp")) for recipient in THREE] == [0, 0, 0]
        assert site.left() == []
        return died

    assert every_step(tmp_path, check) > 25


def test_deliver_to_a_queue_program(tmp_path: Path) -> None:
    def check(path: Path, step: int) -> bool:
        site = Site(path)
        home = QmailHome(path / "qmail")
        target = QueueTarget(str(home.path / "bin/qmail-queue"))
        died = dies(step, attempt(site, target))
        site.drain(target)
        given = home.messages()

        assert len(given) in (1, 2)
        assert all(message.endswith(BODY) for message, _ in given)
        assert {envelope for _, envelope in given} == {b"Fa@b.c\0" + b"".join(b"T%b\0" % each for each in THREE) + b"\0"}
        assert site.left() == []
        return died

    assert every_step(tmp_path, check) > 8


def test_deliver_to_a_command(tmp_path: Path) -> None:
    def check(path: Path, step: int) -> bool:
        site = Site(path)
        program, out = path / "program", path / "out"
        program.write_text(f'#!/bin/sh\n[ "$(tail -n 1)" = "the end" ] || RECIPIENT=part\necho "$RECIPIENT" >>{out}\n')
        program.chmod(0o755)
        target = CommandTarget([str(program)], 20, site.spool.hold)
        died = dies(step, attempt(site, target))
        site.drain(target)
        copies = Counter(out.read_bytes().split())

        assert set(copies) == set(THREE)
        assert sorted(copies.values()) in ([1, 1, 1], [1, 1, 2])
        assert site.left() == []
        return died

    assert every_step(tmp_path, check) > 15


def test_a_message_that_kills_every_runner_is_buried(tmp_path: Path) -> None:
    """A145: three runners die of it, the fourth puts it into dead/, and the others are delivered."""
    site = Site(tmp_path / "site")
    target = Scripted(site.path / "delivered")
    poison, good = site.hold(BODY, b"poison@b.c"), site.hold()

    class Deadly(Scripted):
        def deliver(self, identity: str, file: object, recipients: object) -> object:  # type: ignore[override]
            if identity == poison.identity:
                os.kill(os.getpid(), 9)
            return super().deliver(identity, file, recipients)  # type: ignore[arg-type]

    def run_once() -> None:
        held: Held
        for held in sorted(site.store.held()[0], key=lambda each: each.identity == good.identity):
            site.attempt(Deadly(target.path), held)

    assert [dies(0, run_once) for _ in range(4)] == [True, True, True, False]
    assert [held.identity for held in site.store.buried()[0]] == [poison.identity]
    assert site.store.why(poison.identity) == "killed the runner 3 times\n"
    assert len(target.delivered()) == 1
