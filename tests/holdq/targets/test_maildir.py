"""The target maildir: who has a mailbox, and what lands in it."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdq.targets import Result, Verdict
from holdq.targets.maildir import MaildirTarget, Users, field, parse, quoted
from qsmtpd.qmail.control import Control, ControlError
from tests.holdq.site import END, Site, shown


@pytest.fixture
def target(site: Site) -> MaildirTarget:
    return MaildirTarget(Users(Control(str(site.control))))


def results(site: Site, target: MaildirTarget, sender: bytes = b"a@b.c", *recipients: bytes) -> list[Result]:
    held = site.hold(b"Subject: x\n\n" + END, sender, *recipients)
    with site.store.open(held) as file:
        return [result for _, result in target.deliver(held.identity, file, file.recipients())]


def test_who_has_a_mailbox(site: Site) -> None:
    """Exact before domain before the rest of the world; no regard to letter case."""
    site.users = {"joe@y.z": "joe", "@y.z": "domain", "Root": "root"}
    site.write_users()
    users = Users(Control(str(site.control)))
    path = {name: str(site.path / name) for name in ("joe", "domain", "root")}

    assert users.path(b"Joe@Y.Z") == path["joe"]
    assert users.path(b"ann@y.z") == path["domain"]
    assert users.path(b"a@b@y.z") == path["domain"]
    assert users.path(b"root") == path["root"]
    assert users.path(b"ann@elsewhere") is None
    assert users.path(b"ann") is None
    assert users.path(b"") is None

    site.users["*"] = "joe"
    site.write_users()
    assert users.path(b"ann@elsewhere") == path["joe"], "the list is read again when it has changed"


@pytest.mark.parametrize("line", [b"joe@y.z", b"joe@y.z Maildir", b"joe@y.z ./Maildir/", b"\x1b[2J"])
def test_a_line_that_makes_no_sense(line: bytes) -> None:
    with pytest.raises(ValueError, match=r'^expected "address /path/of/Maildir", found \S'):
        parse([b"ok@y.z /m", line])


def test_paths_may_hold_blanks_and_end_in_a_slash() -> None:
    assert parse([b"a \t/home/a b/Maildir/", b"a /other"]) == {b"a": "/home/a b/Maildir"}


def test_the_file_in_new(site: Site, target: MaildirTarget) -> None:
    assert results(site, target, b"a@b.c", b"Joe@Y.Z") == [Result(Verdict.DELIVERED)]

    text, = site.mail()
    assert re.fullmatch(rb"Return-Path: <a@b\.c>\nDelivered-To: Joe@Y\.Z\n"
                        rb"Received: \(holdq 77 invoked by uid \d+\); [^\n]+\nSubject: x\n\nthe end\n", text)
    path, = (site.path / "all/new").iterdir()
    assert re.fullmatch(r"1800000000\.[0-9a-f]{16}R\d+\.[A-Za-z0-9.-]+", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(site.path / "all/tmp") == []


def test_order_of_the_durable_steps(site: Site, target: MaildirTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """A134, A135"""
    done: list[str] = []

    def noted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            done.append(re.sub(r"1800000000\S+", "NAME", f"{name} {shown(arguments[0])}"))
            return real(*arguments, **named)
        return call

    held = site.hold()
    with site.store.open(held) as file:
        for name in ("fsync", "rename"):
            monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
        list(target.deliver(held.identity, file, file.recipients()))

    done = [re.sub(r"rename \d+/", "rename fd/", step) for step in done]
    assert done == ["fsync tmp/NAME", "rename fd/NAME", "fsync all/new", "fsync all/tmp"]


def test_a_second_delivery_takes_the_place_of_the_first(site: Site, target: MaildirTarget) -> None:
    """What happens when the runner died between delivery and the end of the attempt."""
    held = site.hold(END, b"a@b.c", b"one", b"two")
    for _ in range(2):
        with site.store.open(held) as file:
            list(target.deliver(held.identity, file, file.recipients()))

    assert len(site.mail()) == 2


def test_what_a_dead_runner_left_in_tmp_is_no_hindrance(site: Site, target: MaildirTarget) -> None:
    held = site.hold()
    with site.store.open(held) as file:
        list(target.deliver(held.identity, file, file.recipients()))
        path, = (site.path / "all/new").iterdir()
        path.rename(site.path / "all/tmp" / path.name)
        (site.path / "all/tmp" / path.name).write_bytes(b"half a mess")
        list(target.deliver(held.identity, file, file.recipients()))

    assert site.mail()[0].endswith(END)
    assert os.listdir(site.path / "all/tmp") == []


def test_no_mailbox_is_for_good(site: Site, target: MaildirTarget) -> None:
    site.users = {"joe@y.z": "joe"}
    site.write_users()

    assert results(site, target, b"", b"joe@y.z", b"ann@y.z") == [
        Result(Verdict.DELIVERED), Result(Verdict.FAILED, "no mailbox here by that name")]


def test_without_a_list_all_mail_waits(site: Site, target: MaildirTarget) -> None:
    """An administrator's slip must not send all mail to dead/."""
    (site.control / "holdqusers").unlink()
    result, = results(site, target)

    assert result.verdict is Verdict.LATER
    assert "control/holdqusers: No such file or directory" in result.why


def test_a_list_that_makes_no_sense_is_later_too(site: Site, target: MaildirTarget) -> None:
    site.write("holdqusers", "joe")
    result, = results(site, target)

    assert result.verdict is Verdict.LATER
    assert 'control/holdqusers: expected "address /path/of/Maildir", found joe' in result.why
    with pytest.raises(ControlError):
        Users(Control(str(site.control))).path(b"joe")


def test_a_maildir_that_is_not_there_is_later(site: Site, target: MaildirTarget) -> None:
    site.write("holdqusers", "* /nonexistent/Maildir")

    assert results(site, target) == [Result(Verdict.LATER, "/nonexistent/Maildir: No such file or directory")]


def test_a_link_planted_in_tmp_is_replaced_not_followed(site: Site, target: MaildirTarget) -> None:
    """A132"""
    held = site.hold()
    victim = site.path / "victim"
    victim.write_bytes(b"precious")
    with site.store.open(held) as file:
        list(target.deliver(held.identity, file, file.recipients()))
        path, = (site.path / "all/new").iterdir()
        path.unlink()
        (site.path / "all/tmp" / path.name).symlink_to(victim)
        list(target.deliver(held.identity, file, file.recipients()))

    assert victim.read_bytes() == b"precious"
    assert not path.is_symlink()


@pytest.mark.parametrize("part", ["", "/tmp", "/new"])
def test_no_link_in_the_way_is_followed(site: Site, target: MaildirTarget, part: str) -> None:
    """A132, A133: a user's Maildir may not lead a runner with more rights than his to another directory."""
    path = Path(f"{site.path}/all{part}")
    elsewhere = site.path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)

    assert results(site, target) == [
        Result(Verdict.LATER, f"{site.path}/all: it, tmp or new is not a directory; a symbolic link is not followed")]
    assert not [name for name in elsewhere.rglob("*") if not name.is_dir()]


@given(st.binary(max_size=80))
def test_no_address_begins_a_header_line(address: bytes) -> None:
    """A46, A51"""
    for text in (quoted(address), field(address)):
        assert not set(text) & {*range(32), 127}


@pytest.mark.parametrize(("sender", "shown_as"), [
    (b"", b""), (b"a@b.c", b"a@b.c"), (b"a b@c", b'"a b"@c'), (b'a"b@c', b'"a\\"b"@c'), (b"a\n@c", b'"a_"@c'),
    (b"a>@c", b'"a>"@c'),
    (b".a@c", b'".a"@c'), (b"owner-@h-@[]", b'"owner-@h-"@[]'),
    (b"#@[]", b"#@[]"), (b"a@b> x\ny", b"a@b__x_y"), (b"root", b"root"),
])
def test_return_path(sender: bytes, shown_as: bytes) -> None:
    assert quoted(sender) == shown_as
