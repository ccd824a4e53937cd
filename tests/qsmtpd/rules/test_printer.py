"""A rule as a line: what is printed is read as the same rule, and printed as the same line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.rules import printer
from qsmtpd.rules.parse import as_number, parse
from qsmtpd.rules.rule import Rules
from tests.qsmtpd.rules import language
from tests.qsmtpd.rules.language import WORDS
from tests.qsmtpd.rules.shapes import of_rule


@settings(deadline=None, max_examples=400)
@given(language.rules(language.numbers))
def test_what_is_printed_is_read_as_the_same(rules: Rules) -> None:
    text = "\n".join(printer.line(rule) for rule in rules.rules)
    again = parse(text.encode(), WORDS)

    assert [of_rule(rule) for rule in again.rules] == [of_rule(rule) for rule in rules.rules]
    assert "\n".join(printer.line(rule) for rule in again.rules) == text


@pytest.mark.parametrize(("written", "printed"), [
    ('dul&((rss)|!(relay))?refuse@helo  550 5.7.1\t"no"  # why', 'dul & (rss | !relay) ?refuse@helo 550 5.7.1 "no"'),
    ("!load>80.50 defer 090%", "!(load > 80.5) defer 90%"),
    ("unknown ( spf-fail ) throttle 02", "unknown(spf-fail) throttle 2"),
    ('any log "a \\" b"', 'any log "a \\" b"'),
])
def test_the_one_way_to_write_it(written: str, printed: str) -> None:
    assert printer.line(parse(written.encode(), WORDS).rules[0]) == printed


@given(st.from_regex(r"[0-9]{1,10}(\.[0-9]{1,10})?|0\.0{0,18}[1-9]|[0-9]{20}", fullmatch=True))
def test_numbers_have_no_exponent(text: str) -> None:
    """A59: what is printed is a NUMBER again, and the same."""
    number = as_number(text)
    assert number is not None

    assert as_number(printer.number(number)) == number
