"""The words of the language: each once, each with a check that knows it, none that the grammar would trip over."""

from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import VERBS
from qsmtpd.rules.vocabulary import COSTS, STAGES, TABLE, TERMS


def test_no_word_is_there_twice() -> None:
    words = [name for row in TABLE for name in f"{row[3]} {row[4]}".split()]

    assert len(words) == len(set(words)) == len(TERMS)


def test_no_word_is_a_verb_or_a_word_of_the_grammar() -> None:
    assert not {*VERBS, "any", "unknown"} & set(TERMS)


def test_every_word_can_stand_in_a_rule() -> None:
    for name, term in TERMS.items():
        (rule,) = parse(f"{name}{' > 1' if term.kind == 'fact' else ''} refuse".encode(), TERMS).rules

        assert rule.stage == term.stage < len(STAGES)
        assert 0 <= term.cost < len(COSTS)
