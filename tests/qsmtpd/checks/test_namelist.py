"""Tags of kind ptr, helo, sender and rcpt."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.namelist import configured
from qsmtpd.qmail.control import ControlError
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictDns, DictLookups, mail

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
    assert ask(configured(site(tmp_path, tags=TAGS, liars=HOSTS)), mail(helo=name), DictLookups(), "liar") is holds


@pytest.mark.parametrize(("name", "holds"), HELD[:-1])
def test_ptr_from_the_server_program(tmp_path: Path, name: bytes, holds: bool) -> None:
    world = DictLookups()
    known = mail(ptr=name)
    check = configured(site(tmp_path, tags=TAGS, big=HOSTS))

    assert ask(check, known, world, "big") is holds
    assert not world.dns.asked
    assert check.questions(known, ("big",)) == ()


@pytest.mark.parametrize(("names", "holds"), [
    ((), False), ((b"x.example", b"mail.big.example"), True), ((b"x.example",), False)])
def test_ptr_from_the_dns(tmp_path: Path, names: tuple[bytes, ...], holds: bool) -> None:
    known = mail(ip=b"192.0.2.1")
    check = configured(site(tmp_path, tags=TAGS, big=HOSTS))

    assert check.questions(known, ("big", "liar")) == [(REVERSED, "PTR")]
    assert check.questions(known, ("liar",)) == ()
    assert ask(check, known, DictLookups(dns=DictDns({(REVERSED, "PTR"): names})), "big") is holds


def test_no_answer_is_unknown(tmp_path: Path) -> None:
    check = configured(site(tmp_path, tags=TAGS, big=HOSTS))
    world = DictLookups(dns=DictDns({(REVERSED, "PTR"): LookupFailedError("broken")}))

    assert ask(check, mail(), world, "big") is None
    assert world.noted == [b"big: broken"]
    assert ask(check, mail(ip=b"unknown"), DictLookups(), "big") is None
    assert check.questions(mail(ip=b"unknown"), ("big",)) == ()


@pytest.mark.parametrize(("address", "holds"), [
    (b"spam@b.test", True), (b"SPAM@B.TEST", True), (b"x@evil.test", True), (b"x@a.evil.test", True),
    (b"x@notevil.test", False), (b"x@evil.test.example", False), (b"postmaster@any.test", True),
    (b"postmaster", True), (b"", False)])
def test_sender_and_recipient(tmp_path: Path, address: bytes, holds: bool) -> None:
    """A61, A66, A67; a plain list and a database say the same."""
    check = configured(site(tmp_path, tags=TAGS, bad=ADDRESSES, open=ADDRESSES))
    database = set(ADDRESSES.lower().split())
    world = DictLookups({"bad.cdb": database, "open.cdb": database})
    known = mail(sender=address, recipient=address)
    names = ("bad", "worse", "open", "closed")

    assert found(check, known, world, *names) == dict.fromkeys(names, holds)


def test_the_reason_names_entry_and_list(tmp_path: Path) -> None:
    known = mail(sender=b"X@a.evil.test")
    ask(configured(site(tmp_path, tags=TAGS, bad=ADDRESSES)), known, DictLookups(), "bad")

    assert known.reasons == {"bad": b".evil.test from bad"}


def test_before_mail_and_helo_nothing_holds(tmp_path: Path) -> None:
    check = configured(site(tmp_path, tags=TAGS, bad=ADDRESSES, liars=HOSTS))

    assert found(check, mail(), DictLookups(), "bad", "liar") == {"bad": False, "liar": False}


def test_absent_and_broken_lists_are_unknown(tmp_path: Path) -> None:
    """A130; those that can be read are not touched by it."""
    check = configured(site(tmp_path, tags=TAGS, open=ADDRESSES))
    known = mail(sender=b"x@y.test", recipient=b"postmaster@y.test")
    lookups = DictLookups(broken=frozenset(["bad.cdb"]))

    assert found(check, known, lookups, "bad", "worse", "open", "closed") == {
        "bad": None, "worse": None, "open": True, "closed": None}


@pytest.mark.parametrize(("file", "line"), [("big", b"*.example"), ("liars", b"user@host.example"), ("bad", b"evil.test"),
                                            ("open", b"user@*.test")])
def test_a_line_that_would_never_hold_is_named(tmp_path: Path, file: str, line: bytes) -> None:
    with pytest.raises(ControlError, match=f"{file}: line 2: expected"):
        configured(site(tmp_path, tags=TAGS, **{file: b"\n" + line + b"\n"}))
