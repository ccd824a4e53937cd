"""A second evaluator, slow and simple, written from the page that describes the language and not from qsmtpd/rules/evaluate.py.

It knows every value beforehand, looks at every part of every expression, and computes stages for itself.
"""

from collections.abc import Mapping
from typing import NamedTuple

from qsmtpd.rules.expression import And, Any, Compare, Not, Or, Tag, Unknown
from qsmtpd.rules.rule import Rule
from qsmtpd.rules.vocabulary import Term
from tests.qsmtpd.rules.language import WORDS, Expression

Values = dict[str, bool | float | None]

RCPT = 3

ENDS = {"accept", "refuse", "defer", "close", "quarantine", "discard"}
SOFTENED = {"refuse", "close", "quarantine", "discard"}


class Outcome(NamedTuple):
    """Lines of rules, and the verb."""

    line: int | None
    verb: str
    notes: list[int]
    shadows: list[int]


def truth(node: Expression, values: Values) -> bool | None:
    """Kleene's strong logic, None for unknown: "and" is the least of false < unknown < true, "or" the greatest."""
    if isinstance(node, Tag):
        value = values[node.name]
        assert value is None or isinstance(value, bool)
        return value
    if isinstance(node, Unknown):
        return values[node.name] is None
    if isinstance(node, Any):
        return True
    if isinstance(node, Not):
        inside = truth(node.part, values)
        return None if inside is None else not inside
    if isinstance(node, And | Or):
        ranks = [{False: 0, None: 1, True: 2}[truth(part, values)] for part in node.parts]
        return (False, None, True)[min(ranks) if isinstance(node, And) else max(ranks)]
    return compared(node, values)


def compared(node: Compare, values: Values) -> bool | None:
    left = values[node.left]
    right = values[node.right] if isinstance(node.right, str) else node.right
    if left is None or right is None:
        return None
    return {"<": left < right, "<=": left <= right, "=": left == right, ">=": left >= right, ">": left > right}[node.operator]


def used(node: Expression) -> set[str]:
    if isinstance(node, Tag | Unknown):
        return {node.name}
    if isinstance(node, Compare):
        return {node.left} | ({node.right} if isinstance(node.right, str) else set())
    if isinstance(node, Not):
        return used(node.part)
    return set() if isinstance(node, Any) else set().union(*[used(part) for part in node.parts])


def decidable(rule: Rule, words: Mapping[str, Term] = WORDS) -> int:
    """From which stage on; throttle and greylist concern a recipient."""
    stages = [words[name].stage for name in used(rule.expression)]
    return max([*stages, RCPT if rule.action.verb in ("throttle", "greylist") else 0])


def spoken(rule: Rule, words: Mapping[str, Term] = WORDS) -> int:
    """At RCPT, or as "@" says, but never before it can be decided."""
    return max(RCPT if rule.action.at is None else rule.action.at, decidable(rule, words))


def defers(rule: Rule, values: Values) -> bool | None:
    """What the three verbs that decide only when they defer look at besides."""
    number = rule.action.number
    if rule.action.verb == "throttle":
        return None if values["accepted"] is None else values["accepted"] >= (1 if number is None else number)
    if rule.action.verb == "greylist":
        age, wait = values["greylist-age"], values["greylist-delay"] if number is None else number
        return None if age is None or wait is None else age < wait
    drawn = values[f"draw:{rule.line}"]
    assert drawn is not None
    assert rule.action.percent is not None
    return drawn < rule.action.percent


def conditional(rule: Rule) -> bool:
    return rule.action.verb in ("throttle", "greylist") or rule.action.percent is not None


def in_sight(rules: tuple[Rule, ...], stage: int, words: Mapping[str, Term] = WORDS) -> list[Rule]:
    """What is read at a stage."""
    speaking = [number for number, rule in enumerate(rules) if spoken(rule, words) == stage]
    end = len(rules) if stage >= RCPT else speaking[-1] + 1 if speaking else 0
    return [rule for rule in rules[:end] if decidable(rule, words) <= stage]


def decide(rules: tuple[Rule, ...], stage: int, values: Values, words: Mapping[str, Term] = WORDS) -> Outcome:
    """One reading of the file at a stage."""
    notes: list[int] = []
    shadows: list[int] = []
    doubt = False
    for rule in in_sight(rules, stage, words):
        holds, action = truth(rule.expression, values), rule.action
        if holds is True and conditional(rule):
            holds = defers(rule, values)
        if action.shadow:
            shadows += [rule.line] if holds is True else []
        elif holds is None:
            doubt = doubt or action.verb == "accept"
        elif holds and conditional(rule):
            return Outcome(rule.line, "defer", notes, shadows)
        elif holds and action.verb in ENDS:
            return Outcome(rule.line, "defer" if doubt and action.verb in SOFTENED else action.verb, notes, shadows)
        elif holds:
            notes.append(rule.line)
    return Outcome(None, "accept", notes, shadows)
