"""RCPTCHECK: what the program is told, and what its exit code means."""

import posix
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.rcptcheck import RcptCheck, configured
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.checks.site import site
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("code", "verdict"), [(0, True), (1, True), (100, False), (112, None), (99, True), (255, True)])
def test_the_answer(code: int, verdict: bool | None) -> None:
    assert complete(RcptCheck(b"check")(mail(b"joe@x"), DictLookups(exit_code=code))) is verdict


@pytest.mark.parametrize("code", [111, 113, 120, 126, 127])
def test_trouble_is_no_refusal(code: int) -> None:
    """A140."""
    with pytest.raises(LookupFailedError, match=f"exit code {code}"):
        complete(RcptCheck(b"check")(mail(b"joe@x"), DictLookups(exit_code=code)))


def test_what_it_is_told() -> None:
    """A53: as the values of variables, never as part of a command."""
    lookups = DictLookups()
    complete(RcptCheck(b"bin/check")(mail(b"`id`@x", sender=b";rm", helo=b"$(id)"), lookups))
    complete(RcptCheck(b"bin/check")(mail(b"joe"), lookups))

    assert lookups.ran == [
        (b"bin/check", {b"SENDER": b";rm", b"RECIPIENT": b"`id`@x", b"HELO": b"$(id)"}),
        (b"bin/check", {b"SENDER": b"", b"RECIPIENT": b"joe", b"HELO": b""})]


def test_where_the_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins, and empty there it is none."""
    monkeypatch.delitem(posix.environ, b"RCPTCHECK", raising=False)
    assert configured(site(tmp_path)) is None
    source = site(tmp_path, rcptcheck=b"/from/control\n")
    named = configured(source)
    assert named is not None
    assert named.program == b"/from/control"
    monkeypatch.setitem(posix.environ, b"RCPTCHECK", b"/from/env")
    named = configured(source)
    assert named is not None
    assert named.program == b"/from/env"
    monkeypatch.setitem(posix.environ, b"RCPTCHECK", b"")
    assert configured(source) is None
