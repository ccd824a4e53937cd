"""The rules of the site, as qqshim reads them."""

from pathlib import Path

import pytest

from qsmtpd.qmail.control import ControlError
from tests.qqshim.arrived import site


@pytest.mark.parametrize(("rules", "ruled"), [
    ("virus refuse", True), ("spam & !virus refuse", True), ("unknown(virus) defer", True), ("spam refuse", False), ("", False),
    ("virus ?refuse", False), ("virus ?refuse\nvirus quarantine", True)])
def test_whether_a_rule_is_about_a_word(tmp_path: Path, rules: str, ruled: bool) -> None:
    """A rule that only shows what it would do has not taken over."""
    assert site(tmp_path, rules).rule_on("virus") is ruled


def test_fields_to_be_removed(tmp_path: Path) -> None:
    """By whoever stands first: the session, or we."""
    rules = 'no-date header "X-One: 1"\nspam header "X-Two: {score}"\nvirus header "X-One: 2"\nrelay header "X-Three: x"\n'

    assert site(tmp_path, rules).fields() == (b"X-One", b"X-Two")
    assert site(tmp_path, rules, carried_out=True).fields() == ()


def test_what_counts_at_the_message_stage(tmp_path: Path) -> None:
    """Of what the session should have said only its exceptions: unknown(dul) would hold for all mail here."""
    rules = 'unknown(spf-pass) defer\nrelay accept\nload > 0 hold\nany refuse\nrelay ?accept\nsize > 1 log "x"\nspam refuse\n'

    assert [rule.line for rule in site(tmp_path, rules).rules.rules] == [2, 6, 7]


@pytest.mark.parametrize(("rules", "tags"), [("virus refuze", ""), ("vip accept", ""), ("any accept", "vip nothing X\n")])
def test_what_is_wrong_is_an_error(tmp_path: Path, rules: str, tags: str) -> None:
    with pytest.raises(ControlError, match="line 1"):
        site(tmp_path, rules, tags)
