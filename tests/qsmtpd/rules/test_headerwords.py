"""The words about a header; tests/qsmtpd/checks/test_header.py has them one by one, as a session asks for them."""

import pytest

from qsmtpd.rules.headerwords import HeaderWords
from qsmtpd.rules.vocabulary import TERMS

SOUND = b"From: a@b.test\nTo: joe@bench.test\nDate: Sat, 21 Nov 2026 20:00:00 +0000\nMessage-ID: <1@b.test>\n\n"


def test_every_word_but_that_of_a_recipient() -> None:
    assert {*HeaderWords(SOUND, cut=False).values, "not-addressed"} == {
        name for name, term in TERMS.items() if term.check == "header"}


@pytest.mark.parametrize(("recipient", "value"), [
    (b"joe@bench.test", False), (b"JOE@BENCH.test", False), (b"x@bench.test", True)])
def test_a_recipient(recipient: bytes, value: bool) -> None:
    assert HeaderWords(SOUND, cut=False).not_addressed(recipient) is value


def test_what_is_not_there_may_stand_in_the_rest() -> None:
    """A32: what was not seen is no reason to refuse."""
    words = HeaderWords(b"From: a@b.test\nFrom: c@d.test\nTo: joe@ben", cut=True)

    assert (words.values["header-huge"], words.values["from-many"], words.values["no-date"]) == (True, True, None)
    assert words.not_addressed(b"joe@bench.test") is None
