"""Rules and the part of a file that each stage reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import DECIDING, DEFERRING, NOTING, Rules, draw
from tests.qsmtpd.rules import language, reference
from tests.qsmtpd.rules.language import WORDS


def lines(text: str, stage: int) -> list[int]:
    return [rule.line for rule in parse(text.encode(), WORDS).at(stage)]


@settings(deadline=None)
@given(language.rules(), st.integers(0, 5))
def test_each_stage_reads_what_the_page_says(rules: Rules, stage: int) -> None:
    assert list(rules.at(stage)) == reference.in_sight(rules.rules, stage)
    assert rules.at(stage) is rules.at(stage)


def test_before_rcpt_only_up_to_what_speaks_there() -> None:
    text = "dul refuse\nload > 80 defer@connect\nspf-fail refuse\nhelo-oneword refuse@helo\nrss refuse\n"

    assert lines(text, 0) == [1, 2]
    assert lines(text, 1) == [1, 2, 4]
    assert lines(text, 2) == []
    assert lines(text, 3) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("text", "name", "right"), [
    ("any throttle", "accepted", 1), ("any throttle 5", "accepted", 5), ("any greylist", "greylist-age", "greylist-delay"),
    ("any greylist 5", "greylist-age", 5), ("any defer 90%", draw(1), 90)])
def test_conditions(text: str, name: str, right: float | str) -> None:
    condition = parse(text.encode(), WORDS).rules[0].condition

    assert condition is not None
    assert (condition.left, condition.right) == (name, right)


def test_what_decides_has_no_condition() -> None:
    assert parse(b"any defer", WORDS).rules[0].condition is None


def test_lists_are_those_of_the_expression() -> None:
    text = b'dul & (rss | !badurl) & noptr & vip refuse "{lists}"\ndul refuse "listed"\n'

    assert [rule.lists for rule in parse(text, WORDS).rules] == [("dul", "rss", "badurl"), ()]


def test_every_verb_is_of_one_kind() -> None:
    verbs = (*DECIDING, *DEFERRING, *NOTING)

    assert len(verbs) == len(set(verbs)) == 12


def test_fields_are_those_that_are_given() -> None:
    """A shadow gives none, so nobody's field of that name is taken away for it."""
    rules = parse(b'any header "X-A: 1"\nany ?header "X-B: 2"\nmime-mixed header "X-C: 3"\n', WORDS)

    assert rules.fields() == (b"X-A", b"X-C")
    assert rules.fields(4) == (b"X-C",)


def test_what_is_counted_is_what_is_asked_for() -> None:
    rules = parse(b"rcpt > 3 defer\nload > 1 throttle\nload > 5 greylist\nrcpt > 5 defer 5%\n", WORDS)

    assert rules.counted({"rcpt", "badrcpt", "accepted"}) == ("rcpt", "accepted")
