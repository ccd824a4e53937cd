"""The words about a message."""

from pathlib import Path

import pytest

from qqshim.knowledge import HEADER_MAX, Knowledge
from qqshim.origin import Origin
from qqshim.receive import Mail
from qqshim.scanners.base import Finding, ScannerError, failure
from tests.qqshim.arrived import CLEAN, HAM, NOBODY, SPAM, STOCK, VIRUS, mail, site

DOWN = {name: failure(name, ScannerError("failed", b"gone"), defer=False) for name in ("clamd", "spamd")}
LARGE = failure("spamd", ScannerError("toolarge", b"9"), defer=False)


def knowledge(directory: Path, *findings: Finding, origin: Origin = STOCK, of: Mail | None = None) -> Knowledge:
    says = site(directory, "any accept", "vip env VIP\ngold env CLASS=gold\nx rcpt x\n")
    return Knowledge(of or mail(), origin, says, findings)


@pytest.mark.parametrize(("findings", "values"), [
    ([CLEAN, HAM], (False, False, False, False, 0.5)),
    ([CLEAN, SPAM], (False, False, True, False, 7.5)),
    ([VIRUS], (True, False, None, False, None)),
    ([DOWN["clamd"], DOWN["spamd"]], (None, True, None, True, None)),
    ([LARGE], (None, False, None, True, None)),
    ([], (None, False, None, False, None)),
])
def test_what_the_scanners_found(tmp_path: Path, findings: list[Finding], values: tuple[bool | float | None, ...]) -> None:
    """A87: who has failed, or was not asked, has not said that there is nothing."""
    names = ("virus", "virus-unknown", "spam", "spam-unknown", "score")

    assert knowledge(tmp_path, *findings).found() == dict(zip(names, values, strict=True))


def test_why(tmp_path: Path) -> None:
    assert knowledge(tmp_path, VIRUS).reasons == {"virus": b"Eicar"}
    assert knowledge(tmp_path, CLEAN, SPAM).reasons["spam"] == b"score 7.5"


@pytest.mark.parametrize(("origin", "values"), [
    (STOCK, [False, True, False, 2]), (Origin(server=True, relay=True), [True, True, False, 2]),
    (NOBODY, [None, None, None, 3])])
def test_what_is_at_hand(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin, values: list[bool | float | None]) -> None:
    """The environment counts where it is believed; the field that a server has put on top is no hop."""
    monkeypatch.setenv("VIP", "")
    monkeypatch.setenv("CLASS", "silver")
    message = mail(message=b"RECEIVED: a\nReceived: b\n folded\nDelivered-To: c\nDate: x\n\nReceived: d\n", sender=b"")
    found = knowledge(tmp_path, origin=origin, of=message)

    assert [found.of(name, b"x@y") for name in ("relay", "vip", "gold", "hops")] == values
    assert found.of("null-sender", b"x@y") is True
    assert found.of("size", b"x@y") == message.message.size
    assert [found.of(name, b"x@y") for name in ("load", "valid", "x", "spf-fail")] == [None] * 4


def test_the_header(tmp_path: Path) -> None:
    of = mail(message=b"From: a\nTo: user@bench.test\nContent-Type: text/html\n\nDate: x\n")
    found = knowledge(tmp_path, of=of)

    assert (found.of("no-date", b""), found.of("mime-html", b""), found.of("header-huge", b"")) == (True, True, False)
    assert [found.of("not-addressed", to) for to in (b"user@bench.test", b"other@bench.test")] == [False, True]


def test_a_huge_header(tmp_path: Path) -> None:
    """A32: looked at as far as the session would."""
    found = knowledge(tmp_path, of=mail(message=b"X: y\n" * HEADER_MAX + b"Date: x\n\nbody"))

    assert (found.of("header-huge", b""), found.of("no-date", b"")) == (True, None)


def test_a_draw_is_one_for_a_rule(tmp_path: Path) -> None:
    found = knowledge(tmp_path)
    drawn = [found.of("draw:3", to) for to in (b"a@x", b"b@x")]

    assert drawn[0] == drawn[1]
    assert drawn[0] is not None
    assert 0 <= drawn[0] < 100
