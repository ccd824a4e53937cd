"""One reading of the rules, against a slow reference evaluator, and whatever the order in which the look-ups are made."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qsmtpd.rules.evaluate import Reading, read
from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import Rule, Rules
from tests.qsmtpd.rules import language, reference
from tests.qsmtpd.rules.language import WORDS

stages = st.integers(0, 5)


class Asking:
    """Answers what it is asked from a table of all values, some at a time, and remembers what that was.

    seed  None: all at once; else chance decides which of them, one at least
    """

    def __init__(self, values: reference.Values, seed: int | None = None) -> None:
        self.values = values
        self.known: reference.Values = {}
        self.asked: list[str] = []
        self.chance = None if seed is None else random.Random(seed)

    async def __call__(self, names: tuple[str, ...]) -> None:
        wanted = [name for name in dict.fromkeys(names) if name not in self.known]
        if self.chance is not None and wanted:
            wanted = self.chance.sample(wanted, self.chance.randint(1, len(wanted)))
        for name in wanted:
            self.asked.append(name)
            self.known[name] = self.values[name]


def run(rules: Rules, stage: int, asking: Asking, trace: list[tuple[int, bool | None]] | None = None) -> Reading:
    """The reading; it never waits, so one step is all."""
    told = None if trace is None else lambda rule, value: trace.append((rule.line, value))
    with pytest.raises(StopIteration) as ended:
        read(rules, stage, asking.known, asking, told).send(None)
    assert isinstance(ended.value.value, Reading)
    return ended.value.value


def outcome(reading: Reading) -> reference.Outcome:
    lines = [[rule.line for rule in rules] for rules in (reading.notes, reading.shadows)]
    return reference.Outcome(None if reading.rule is None else reading.rule.line, reading.verb, *lines)


def read_text(text: str, stage: int, **values: bool | float | None) -> reference.Outcome:
    table = {name.replace("_", "-"): value for name, value in values.items()}
    return outcome(run(parse(text.encode(), WORDS), stage, Asking(table)))


@settings(deadline=None)
@given(language.rules(), language.values(), stages)
def test_it_decides_what_the_reference_decides(rules: Rules, values: reference.Values, stage: int) -> None:
    assert outcome(run(rules, stage, Asking(values))) == reference.decide(rules.rules, stage, values)


@settings(deadline=None)
@given(language.rules(), language.values(), stages, st.integers(0, 10**6))
def test_the_order_of_look_ups_decides_nothing(rules: Rules, values: reference.Values, stage: int, seed: int) -> None:
    assert outcome(run(rules, stage, Asking(values, seed))) == reference.decide(rules.rules, stage, values)


@settings(deadline=None)
@given(language.rules(), language.values(), stages)
def test_what_is_known_already_decides_nothing_else(rules: Rules, values: reference.Values, stage: int) -> None:
    """As at a later stage, and as explain and replay read: laziness saves look-ups, not decisions."""
    asking = Asking(values)
    asking.known.update(values)

    assert outcome(run(rules, stage, asking)) == reference.decide(rules.rules, stage, values)
    assert asking.asked == []


words = st.sampled_from(language.TAGS + language.FACTS)


@settings(deadline=None)
@given(language.rules(unknown=False), language.values(certain=True), st.sets(words), stages)
def test_a_look_up_that_fails_refuses_nobody_who_is_accepted(
        rules: Rules, values: reference.Values, failed: set[str], stage: int) -> None:
    """A refusal is never a fault of ours: who would be accepted is not refused, whatever fails, nor is his mail thrown away."""
    reading = run(rules, stage, Asking({name: None if name in failed else value for name, value in values.items()}))

    if reading.verb in reference.SOFTENED:
        assert reference.decide(rules.rules, stage, values).verb != "accept"


@settings(deadline=None)
@given(language.rules(), language.values(), stages)
def test_below_an_accept_in_doubt_nothing_is_refused(rules: Rules, values: reference.Values, stage: int) -> None:
    trace: list[tuple[int, bool | None]] = []
    reading = run(rules, stage, Asking(values), trace)
    doubt = [line for line, value in trace if value is None and is_accept(rules.rules[line - 1])]

    assert not (doubt and reading.verb in reference.SOFTENED)


def is_accept(rule: Rule) -> bool:
    return rule.action.verb == "accept" and not rule.action.shadow


@settings(deadline=None)
@given(language.rules(), language.values(), stages, st.none() | st.integers(0, 10**6))
def test_only_what_the_rules_in_sight_name_is_asked(
        rules: Rules, values: reference.Values, stage: int, seed: int | None) -> None:
    """And the condition of a rule is asked for only when its expression holds."""
    asking = Asking(values, seed)
    run(rules, stage, asking)
    sight = reference.in_sight(rules.rules, stage)
    named = {name for rule in sight for name in reference.used(rule.expression)}
    holding = [rule.action for rule in sight if reference.truth(rule.expression, values) is True]
    draws = {f"draw:{rule.line}" for rule in sight if rule.action.percent is not None and rule.action in holding}

    assert set(asking.asked) <= named | draws | {"accepted", "greylist-age", "greylist-delay"}
    assert len(asking.asked) == len(set(asking.asked))
    assert "accepted" not in asking.asked or any(action.verb == "throttle" for action in holding)
    assert "greylist-age" not in asking.asked or any(action.verb == "greylist" for action in holding)


@settings(deadline=None)
@given(language.rules(), language.values(), stages)
@example(parse(b"any accept\nnoptr refuse\n", WORDS), dict.fromkeys(language.TAGS), 3)
def test_below_what_decides_nothing_is_asked(rules: Rules, values: reference.Values, stage: int) -> None:
    asking = Asking(values)
    reading = run(rules, stage, asking)
    if reading.rule is None:
        return
    above = rules.rules[:reading.rule.line]

    assert {name for name in asking.asked if name in WORDS} <= {
        name for rule in above for name in reference.used(rule.expression)} | {"accepted", "greylist-age", "greylist-delay"}


def test_cheap_words_spare_the_others() -> None:
    asking = Asking({"relay": False})
    asking.known["relay"] = False

    assert run(parse(b"relay & noptr refuse\n", WORDS), 3, asking).rule is None
    assert asking.asked == []


def test_a_decision_holds_for_its_stage() -> None:
    """Above "known-good accept" a virus is refused from everybody, below it not from those."""
    above = "virus refuse\nknown-good accept\n"
    below = "known-good accept\nvirus refuse\n"

    assert read_text(above, 5, known_good=True, virus=True).verb == "refuse"
    assert read_text(below, 5, known_good=True, virus=True).verb == "accept"
    assert read_text(above, 3, known_good=True).verb == "accept"


def test_before_rcpt_the_file_is_read_to_the_last_rule_that_speaks() -> None:
    """What speaks at RCPT is not asked for at connect, unless something below speaks there."""
    asking = Asking({"dul": False, "noptr": True})
    rules = parse(b"dul refuse\nnoptr defer@connect\nrss refuse\n", WORDS)

    assert run(rules, 0, asking).verb == "defer"
    assert asking.asked == ["dul", "noptr"]
    assert run(parse(b"dul refuse\n", WORDS), 0, Asking({})).rule is None


def test_a_failed_look_up_of_an_accept_makes_refusals_temporary() -> None:
    """Whatever is down, the good mail comes back."""
    text = "known-good accept\nnoptr refuse\nany close\n"

    assert read_text(text, 3, known_good=None, noptr=True) == (2, "defer", [], [])
    assert read_text(text, 3, known_good=False, noptr=True) == (2, "refuse", [], [])
    assert read_text(text, 3, known_good=None, noptr=None) == (3, "defer", [], [])


def test_what_takes_note_goes_on() -> None:
    text = 'dul tarpit 5\ndul header "X-Listed: {lists}"\nrss ?refuse\ndul hold\nany log "seen"\ndul refuse\n'

    assert read_text(text, 3, dul=True, rss=True) == (6, "refuse", [1, 2, 4, 5], [3])


def test_lists_are_asked_at_once() -> None:
    """One that holds would do to decide; the reply wants to name them all."""
    rounds: list[tuple[str, ...]] = []

    class Noting(Asking):
        async def __call__(self, names: tuple[str, ...]) -> None:
            rounds.append(names)
            await super().__call__(names)

    asking = Noting({"dul": True, "rss": True})
    run(parse(b'dul | rss refuse "{lists}"\n', WORDS), 3, asking)

    assert set(rounds[0]) == {"dul", "rss"}
    assert asking.known == {"dul": True, "rss": True}


def test_lists_are_asked_with_what_decides() -> None:
    """At once, though what decides does not need them: dul may do where vip is known, and rss would come a round later."""
    rounds: list[tuple[str, ...]] = []

    class Noting(Asking):
        async def __call__(self, names: tuple[str, ...]) -> None:
            rounds.append(names)
            await super().__call__(names)

    asking = Noting({"dul": True, "rss": True})
    asking.known["vip"] = True
    run(parse(b'dul & (rss | vip) refuse "{lists}"\n', WORDS), 3, asking)

    assert [set(names) for names in rounds[:1]] == [{"dul", "rss"}]


def test_lists_are_asked_though_one_is_known_to_hold() -> None:
    asking = Asking({"dul": True, "rss": False})
    asking.known["dul"] = True
    run(parse(b'dul | rss refuse "{lists}"\n', WORDS), 3, asking)

    assert asking.known == {"dul": True, "rss": False}


def test_greylisting_and_chance_are_left_alone_until_they_matter() -> None:
    """Asking the store for the age of a triplet begins to count it, so that is not asked in vain."""
    asking = Asking({"noptr": False})

    assert run(parse(b"noptr greylist\nnoptr defer 50%\nnoptr throttle 1\n", WORDS), 3, asking).rule is None
    assert asking.asked == ["noptr"]
