"""The header of the message in hand."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.header import Header, configured
from qsmtpd.headersection import HEADER_MAX
from qsmtpd.rules.headerwords import TYPES
from qsmtpd.rules.vocabulary import TERMS
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictLookups, mail

NAMES = tuple(name for name, term in TERMS.items() if term.check == "header")
SOUND = b"From: a@b.test\nTo: joe@bench.test\nDate: Sat, 21 Nov 2026 20:00:00 +0000\nMessage-ID: <1@b.test>\n\n"


@pytest.fixture
def check(tmp_path: Path) -> Header:
    return configured(site(tmp_path))


def holding(check: Header, header: bytes, recipient: bytes = b"joe@bench.test") -> list[str]:
    """The names that hold."""
    known = mail(recipient)
    known.header = header
    findings = found(check, known, DictLookups(), *NAMES)
    assert all(name in known.reasons for name, value in findings.items() if value and name in ("header-broken", "from-many"))
    return [name for name, value in findings.items() if value]


def test_a_sound_header(check: Header) -> None:
    assert holding(check, SOUND) == ["mime-plain"]


@pytest.mark.parametrize(("old", "new", "holds"), [
    (b"From: a@b.test\n", b"", ["no-from", "mime-plain"]),
    (b"Date:", b"X-Date:", ["no-date", "mime-plain"]),
    (b"Message-ID:", b"X-ID:", ["no-message-id", "mime-plain"]),
    (b"From:", b"From: c@d.test\nFrom:", ["from-many", "mime-plain"]),
    (b"From:", b"From : c@d.test\nFrom:", ["header-broken", "from-many", "mime-plain"]),
    (b"Date:", b"a@b\nDate:", ["header-broken", "mime-plain"]),
    (b"To: joe@bench.test\n", b"", ["not-addressed", "mime-plain"]),
    (b"To: joe@", b"Cc: JOE@", ["mime-plain"]),
    (b"To: joe@", b"Resent-To: Joe <joe@", ["mime-plain"]),
    (b"To: joe@", b"Bcc: joe@", ["not-addressed", "mime-plain"]),
    (b"To: joe@", b"To: joe@x.test, billy.joe@", ["not-addressed", "mime-plain"]),
    (b"To: joe@", b"To: x@y.test\nTo: joe@", ["mime-plain"])])
def test_tags(check: Header, old: bytes, new: bytes, holds: list[str]) -> None:
    """A82."""
    assert holding(check, SOUND.replace(old, new)) == holds


@pytest.mark.parametrize(("name", "kind"), TYPES.items())
def test_mime_types(check: Header, name: str, kind: bytes) -> None:
    assert holding(check, b"Content-Type: (x) " + kind.upper() + b";\n x=y\n" + SOUND) == [name]


def test_two_types_both_count(check: Header) -> None:
    """A82: whichever of them a reader of mail takes."""
    header = b"Content-Type: text/html\nContent-type: multipart/mixed\n" + SOUND

    assert holding(check, header) == ["header-broken", "mime-mixed", "mime-html"]


def test_another_type_is_none_of_ours(check: Header) -> None:
    assert holding(check, b"Content-Type: application/pdf\n" + SOUND) == []


def test_a_message_without_a_body(check: Header) -> None:
    """It ends where its header ends: that makes it neither huge nor broken."""
    assert holding(check, SOUND[:-1]) == ["mime-plain"]


def test_an_empty_header(check: Header) -> None:
    assert holding(check, b"\n") == ["no-from", "no-date", "no-message-id", "not-addressed", "mime-plain"]


def test_each_recipient_has_its_own(check: Header) -> None:
    """The header is read once."""
    assert "not-addressed" not in holding(check, SOUND)
    assert "not-addressed" in holding(check, SOUND, b"jane@bench.test")
    assert "not-addressed" in holding(check, SOUND.replace(b"joe", b"jim"))
    assert "not-addressed" not in holding(check, SOUND, b"Joe@Bench.test")


def test_what_was_cut_off_is_unknown(check: Header) -> None:
    known = mail(b"jane@bench.test")
    known.header = (b"From: a@b.test\n" + b"X-Padding: " + b"x" * HEADER_MAX)[:HEADER_MAX]

    findings = found(check, known, DictLookups(), *NAMES)

    assert [name for name, value in findings.items() if value is True] == ["header-huge"]
    assert [name for name, value in findings.items() if value is False] == ["no-from"]


def test_what_was_found_before_the_cut_is_known(check: Header) -> None:
    known = mail(b"joe@bench.test")
    known.header = (b"From : b\n" + SOUND[:-1] + b"Content-Type: text/html\n" + b"To: " + b"\xa0" * HEADER_MAX)[:HEADER_MAX]

    findings = found(check, known, DictLookups(), *NAMES)

    assert None not in findings.values()
    assert [name for name, value in findings.items() if value] == ["header-broken", "header-huge", "from-many", "mime-html"]


def test_before_the_message_nothing_is_known(check: Header) -> None:
    with pytest.raises(LookupFailedError):
        ask(check, mail(b"joe@bench.test"), DictLookups(), "no-from")


@given(st.binary(max_size=200), st.binary(max_size=30))
def test_no_bytes_make_it_raise(header: bytes, recipient: bytes) -> None:
    """A82, A83, A85."""
    known = mail(recipient)
    known.header = header
    findings = found(configured(None), known, DictLookups(), *NAMES)  # type: ignore[arg-type]

    assert None not in findings.values()
