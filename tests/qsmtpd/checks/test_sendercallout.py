"""Which senders are asked about, and what the tags are then."""

from pathlib import Path

import pytest

from qsmtpd.checks.sendercallout import configured
from qsmtpd.qmail.control import ControlError
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.checks.site import found, site
from tests.qsmtpd.world import DictLookups, FixedCallouts, mail

BOTH = ("sender-ok", "sender-bad")
JOE = b"joe@often.Example"


@pytest.mark.parametrize(("answer", "ok", "bad"), [(True, True, False), (False, False, True), (None, None, None)])
def test_the_answer(tmp_path: Path, answer: bool | None, ok: bool | None, bad: bool | None) -> None:
    known = mail(sender=JOE)
    check = configured(site(tmp_path, calloutdomains=b"often.example\n"))

    tags = found(check, known, DictLookups(callouts=FixedCallouts(senders={JOE: answer})), *BOTH)

    assert tags == {"sender-ok": ok, "sender-bad": bad}
    assert list(known.reasons) == [name for name in BOTH if tags[name]]


@pytest.mark.parametrize("asked", BOTH)
def test_no_answer_is_none_for_both(tmp_path: Path, asked: str) -> None:
    """A rule that asks for the one makes the client wait, the next rule, which asks for the other, does not."""
    lookups = DictLookups()
    check = configured(site(tmp_path, calloutdomains=b".example\n"))
    tags = complete(check(mail(sender=JOE), lookups, (asked,)))

    assert tags == {"sender-ok": None, "sender-bad": None}
    assert len(lookups.noted) == 1


@pytest.mark.parametrize(("sender", "relay"), [
    (b"joe@other.example", None), (b"joe@sub.often.example", None), (b"", None), (b"joe", None), (JOE, b"")])
def test_nobody_else_is_asked_about(tmp_path: Path, sender: bytes, relay: bytes | None) -> None:
    """A101: a look-up would fail here."""
    check = configured(site(tmp_path, calloutdomains=b"often.example\n"))

    assert found(check, mail(sender=sender, relay=relay), DictLookups(), *BOTH) == {"sender-ok": False, "sender-bad": False}


def test_it_is_off_until_somebody_names_domains(tmp_path: Path) -> None:
    """A101."""
    tags = found(configured(site(tmp_path)), mail(sender=JOE), DictLookups(), *BOTH)

    assert tags == {"sender-ok": False, "sender-bad": False}


def test_a_line_that_is_no_domain(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="calloutdomains: line 2"):
        configured(site(tmp_path, calloutdomains=b"often.example\njoe@often.example\n"))
