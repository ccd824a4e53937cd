"""Expressions in three values, against tables; and what is left to ask."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.expression import And, Any, Compare, Not, Or, Tag, Unknown
from tests.qsmtpd.rules import language, reference

A, B = Tag("a"), Tag("b")

AND = {(True, True): True, (True, None): None, (None, None): None}
OR = {(False, False): False, (False, None): None, (None, None): None}


@pytest.mark.parametrize(("a", "b"), [*itertools.product((True, False, None), repeat=2)])
def test_kleene(a: bool | None, b: bool | None) -> None:
    """What is not in the table is false for "and", true for "or"."""
    known = {"a": a, "b": b}

    assert And((A, B)).value(known) is AND.get((a, b), AND.get((b, a), False))
    assert Or((A, B)).value(known) is OR.get((a, b), OR.get((b, a), True))
    assert Not(A).value(known) is {True: False, False: True, None: None}[a]
    assert Unknown("a").value(known) is (a is None)
    assert Any().value(known) is True


@pytest.mark.parametrize(("operator", "values"), [
    ("<", (True, False, False)), ("<=", (True, True, False)), ("=", (False, True, False)),
    (">=", (False, True, True)), (">", (False, False, True))])
def test_comparisons(operator: str, values: tuple[bool, ...]) -> None:
    assert tuple(Compare("x", operator, 2).value({"x": x}) for x in (1, 2, 3)) == values
    assert tuple(Compare("x", operator, "y").value({"x": x, "y": 2}) for x in (1, 2, 3)) == values
    assert Compare("x", operator, "y").value({"x": None, "y": 2}) is None
    assert Compare("x", operator, "y").value({"x": 2, "y": None}) is None


def test_what_is_left_to_ask() -> None:
    assert And((A, B)).value({}) == ("a", "b")
    assert And((A, B)).value({"a": True}) == ("b",)
    assert And((A, B)).value({"b": False}) is False
    assert Or((A, Not(B))).value({"b": False}) is True
    assert Or((A, Compare("x", "<", "y"))).value({"a": None, "x": 1}) == ("y",)


@given(language.expressions(), language.values(), st.sets(st.sampled_from(language.TAGS + language.FACTS)))
def test_what_is_said_early_stays_so(node: language.Expression, values: reference.Values, early: set[str]) -> None:
    """With a part of what it names it is what it will be with all; or it asks for names that are its own and not known."""
    value = node.value({name: values[name] for name in early})

    if isinstance(value, tuple):
        assert value
        assert set(value) <= set(node.names) - early
    else:
        assert value is reference.truth(node, values)


@given(language.expressions())
def test_names(node: language.Expression) -> None:
    assert set(node.names) == reference.used(node)
