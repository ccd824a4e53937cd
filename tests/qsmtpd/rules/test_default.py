"""The rules of a site that has none of its own."""

from qsmtpd.rules.default import RULES
from qsmtpd.rules.parse import parse
from qsmtpd.rules.unreachable import unreachable
from qsmtpd.rules.vocabulary import DNS, FILE, TERMS
from tests.conftest import DEFAULT_RULES
from tests.qsmtpd.rules import reference, shapes


def test_they_are_those_of_the_file_that_is_there_to_be_copied() -> None:
    """The lines too: in the log they are the names of the rules."""
    read = parse(DEFAULT_RULES.encode(), TERMS).rules

    assert [(rule.line, shapes.of_rule(rule)) for rule in RULES.rules] == [(rule.line, shapes.of_rule(rule)) for rule in read]
    assert [rule.names for rule in RULES.rules] == [rule.names for rule in read]


def test_every_rule_can_be_reached() -> None:
    assert unreachable(RULES) == []


def test_our_own_users_are_accepted_and_their_viruses_are_not() -> None:
    (relay,) = [rule.line for rule in RULES.rules if rule.action.verb == "accept"]
    values: reference.Values = {name: 0 if term.kind == "fact" else False for name, term in TERMS.items()}

    assert reference.decide(RULES.rules, 5, values | {"relay": True}).line == relay
    assert reference.decide(RULES.rules, 5, values | {"relay": True, "virus": True}).verb == "refuse"
    assert reference.decide(RULES.rules, 5, values) == (None, "accept", [], [])


def test_nobody_is_asked() -> None:
    """Neither the DNS nor the store; who waits before the greeting has said so himself."""
    words = {name for rule in RULES.rules for name in reference.used(rule.expression)} - {"earlytalk"}

    assert max(TERMS[name].cost for name in words) <= FILE < DNS


def test_no_failed_look_up_refuses_for_good() -> None:
    """Every single tag in doubt, and each rule below it."""
    for name in {name for rule in RULES.rules for name in reference.used(rule.expression)}:
        values: reference.Values = {each: 0 if term.kind == "fact" else False for each, term in TERMS.items()}

        assert reference.decide(RULES.rules, 5, values | {name: None}).verb == "accept"
