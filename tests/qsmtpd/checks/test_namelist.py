"""Tags of kind ptr, helo, sender and rcpt."""

from pathlib import Path

import pytest

from qsmtpd.checks.namelist import configured
from qsmtpd.qmail.control import ControlError
from tests.qsmtpd.checks.site import Site, World, ask, broken, mail

TAGS = (b"big ptr big\nbigger ptr big.cdb\nliar helo liars\nbad sender bad\nworse sender bad.cdb\nopen rcpt open\n"
        b"closed rcpt open.cdb\n")
HOSTS = b"Mail.Big.Example\n.pool.example\n"
ADDRESSES = b"spam@b.test\n@evil.test\n.evil.test\nPostmaster@\n"
REVERSED = b"1.2.0.192.in-addr.arpa"

HELD = [(b"mail.big.example", True), (b"MAIL.big.example.", True), (b"big.example", False), (b"a.mail.big.example", False),
        (b"a.b.pool.example", True), (b"pool.example", False), (b"notpool.example", False), (b"", False)]


@pytest.mark.parametrize(("name", "holds"), HELD)
def test_helo(tmp_path: Path, name: bytes, holds: bool) -> None:
    """A61, A67."""
    assert ask(configured(Site(tmp_path, tags=TAGS, liars=HOSTS)), mail(helo=name), World(), "liar") is holds


@pytest.mark.parametrize(("name", "holds"), HELD[:-1])
def test_ptr_from_the_server_program(tmp_path: Path, name: bytes, holds: bool) -> None:
    world = World()
    known = mail(ptr=name)
    check = configured(Site(tmp_path, tags=TAGS, big=HOSTS))

    assert ask(check, known, world, "big") is holds
    assert not world.asked
    assert check.questions(known, ("big",)) == ()


@pytest.mark.parametrize(("names", "holds"), [
    ((), False), ((b"x.example", b"mail.big.example"), True), ((b"x.example",), False)])
def test_ptr_from_the_dns(tmp_path: Path, names: tuple[bytes, ...], holds: bool) -> None:
    known = mail(ip=b"192.0.2.1")
    check = configured(Site(tmp_path, tags=TAGS, big=HOSTS))

    assert check.questions(known, ("big", "liar")) == [(REVERSED, "PTR")]
    assert check.questions(known, ("liar",)) == ()
    assert ask(check, known, World(dns={REVERSED: names}), "big") is holds


def test_no_answer_is_unknown(tmp_path: Path) -> None:
    check = configured(Site(tmp_path, tags=TAGS, big=HOSTS))
    world = World(dns={REVERSED: broken()})

    assert ask(check, mail(), world, "big") is None
    assert world.notes == [b"big: broken"]
    assert ask(check, mail(ip=b"unknown"), World(), "big") is None
    assert check.questions(mail(ip=b"unknown"), ("big",)) == ()


@pytest.mark.parametrize(("address", "holds"), [
    (b"spam@b.test", True), (b"SPAM@B.TEST", True), (b"x@evil.test", True), (b"x@a.evil.test", True),
    (b"x@notevil.test", False), (b"x@evil.test.example", False), (b"postmaster@any.test", True),
    (b"postmaster", True), (b"", False)])
def test_sender_and_recipient(tmp_path: Path, address: bytes, holds: bool) -> None:
    """A61, A66, A67; a plain list and a database say the same."""
    check = configured(Site(tmp_path, tags=TAGS, bad=ADDRESSES, open=ADDRESSES))
    database = set(ADDRESSES.lower().split())
    world = World({"bad.cdb": database, "open.cdb": database})
    known = mail(sender=address, recipient=address)

    assert ask(check, known, world, "bad", "worse", "open", "closed") == (holds,) * 4


def test_the_reason_names_entry_and_list(tmp_path: Path) -> None:
    known = mail(sender=b"X@a.evil.test")
    ask(configured(Site(tmp_path, tags=TAGS, bad=ADDRESSES)), known, World(), "bad")

    assert known.reasons == {"bad": b".evil.test from bad"}


def test_before_mail_and_helo_nothing_holds(tmp_path: Path) -> None:
    check = configured(Site(tmp_path, tags=TAGS, bad=ADDRESSES, liars=HOSTS))

    assert ask(check, mail(), World(), "bad", "liar") == (False, False)


def test_absent_and_broken_lists_are_unknown(tmp_path: Path) -> None:
    """A130; those that can be read are not touched by it."""
    check = configured(Site(tmp_path, tags=TAGS, open=ADDRESSES))
    known = mail(sender=b"x@y.test", recipient=b"postmaster@y.test")

    assert ask(check, known, World({"bad.cdb": broken()}), "bad", "worse", "open", "closed") == (None, None, True, None)


@pytest.mark.parametrize(("file", "line"), [("big", b"*.example"), ("liars", b"user@host.example"), ("bad", b"evil.test"),
                                            ("open", b"user@*.test")])
def test_a_line_that_would_never_hold_is_named(tmp_path: Path, file: str, line: bytes) -> None:
    with pytest.raises(ControlError, match=f"{file}: line 2: expected"):
        configured(Site(tmp_path, tags=TAGS, **{file: b"\n" + line + b"\n"}))
