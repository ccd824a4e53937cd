"""Rules that are never reached: what check says of them is true."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import Rules
from qsmtpd.rules.unreachable import unreachable
from tests.qsmtpd.rules import language, reference
from tests.qsmtpd.rules.language import WORDS


def found(text: str) -> list[tuple[int, int]]:
    return [(rule.line, earlier.line) for rule, earlier in unreachable(parse(text.encode(), WORDS))]


@pytest.mark.parametrize("text", [
    "any accept\ndul refuse\n",
    "dul refuse\ndul accept\n",
    "dul refuse\ndul & rss accept\n",
    "dul refuse\n(dul & rss) & !vip accept\n",
    "dul | rss refuse\nrss tarpit 5\n",
    "dul | rss refuse\n(rss & vip) | dul defer\n",
    "load > 50 defer\nload > 80 refuse\n",
    "load >= 80 defer\nload = 80 ?refuse\n",
    "badrcpt < 3 accept\nbadrcpt <= 2 greylist\n",
    "dul & rss refuse\nvip & rss & dul accept\n",
])
def test_hidden(text: str) -> None:
    assert found(text) == [(2, 1)]


@pytest.mark.parametrize("text", [
    "dul refuse\nrss refuse\n",
    "dul & rss refuse\ndul refuse\n",
    "dul ?refuse\ndul refuse\n",
    "dul tarpit 5\ndul refuse\n",
    "dul throttle 1\ndul refuse\n",
    "dul defer 90%\ndul refuse\n",
    "load > 80 refuse\nload > 50 defer\n",
    "load > 80 refuse\nload >= 80 defer\n",
    "load > badrcpt refuse\nload > 80 defer\n",
    "unknown(dul) defer\ndul refuse\n",
    "dul & virus refuse\ndul refuse\n",
    "spf-fail | dul refuse\ndul close@connect\n",
])
def test_not_hidden(text: str) -> None:
    """The last one: at connect, where the first is not read yet, the second closes."""
    assert found(text) == []


@settings(deadline=None, max_examples=300)
@given(language.rules(), st.lists(language.values(), min_size=1, max_size=4), st.integers(0, 5))
def test_what_is_said_to_be_hidden_never_comes_to_anything(rules: Rules, many: list[reference.Values], stage: int) -> None:
    hidden = {rule.line for rule, _ in unreachable(rules)}

    for values in many:
        outcome = reference.decide(rules.rules, stage, values)
        assert not hidden & {outcome.line, *outcome.notes, *outcome.shadows}
