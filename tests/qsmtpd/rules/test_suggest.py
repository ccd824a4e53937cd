"""Did you mean ...: near enough to be meant, and otherwise nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.suggest import nearest, slips

WORDS = ("dul", "rss", "known-good", "spf-fail", "spf-softfail", "noptr")


@pytest.mark.parametrize(("word", "meant"), [
    ("dnul", "dul"), ("du", "dul"), ("udl", "dul"), ("dux", "dul"), ("kown-good", "known-good"), ("nown-goood", "known-good"),
    ("spf_fail", "spf-fail"), ("spf-fial", "spf-fail"), ("soft", ""), ("zebra", ""), ("", ""), ("x" * 900, "")])
def test_nearest(word: str, meant: str) -> None:
    assert nearest(word, WORDS) == meant


@pytest.mark.parametrize(("left", "right", "count"), [
    ("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "xbc", 1),
    ("abcd", "badc", 2)])
def test_slips(left: str, right: str, count: int) -> None:
    assert slips(left, right) == count


short = st.text("abc", max_size=6)


@given(short, short)
def test_slips_go_both_ways(left: str, right: str) -> None:
    assert slips(left, right) == slips(right, left)
    assert (slips(left, right) == 0) == (left == right)
