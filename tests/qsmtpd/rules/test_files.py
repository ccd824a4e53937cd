"""control/rules and control/tags."""

from pathlib import Path

import pytest

from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules.files import rules, words
from qsmtpd.rules.vocabulary import TERMS


def test_a_site_without_words_of_its_own(tmp_path: Path) -> None:
    tags, vocabulary = words(Control(str(tmp_path)))

    assert (tags, vocabulary) == ({}, TERMS)


def test_a_site_with_some(tmp_path: Path) -> None:
    (tmp_path / "tags").write_text("vip env VIP\n")
    control = Control(str(tmp_path))
    tags, vocabulary = words(control)

    assert tags["vip"].variable == "VIP"
    assert set(vocabulary) == {*TERMS, "vip"}
    assert [rule.line for rule in rules(control, b"\nvip accept\n", vocabulary).rules] == [2]


def test_what_is_wrong_is_named_with_its_place(tmp_path: Path) -> None:
    """A fault of ours: a temporary failure, and a postmaster who can find it."""
    (tmp_path / "tags").write_text("vip nothing VIP\n")
    control = Control(str(tmp_path))

    with pytest.raises(ControlError, match=r"tags: line 1, column 5: expected one of"):
        words(control)
    with pytest.raises(ControlError, match=r"rules: line 1, column 6: .*refuse"):
        rules(control, b"spam refuze\n", TERMS)
