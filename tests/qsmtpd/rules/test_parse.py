"""The parser of control/rules: the page's own examples, every part of the grammar, and bytes that nobody meant."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qsmtpd.rules.expression import And, Any, Compare, Not, Or, Tag, Unknown
from qsmtpd.rules.parse import NESTING_MAX, RuleError, parse
from qsmtpd.rules.rule import Action, Rule
from qsmtpd.rules.vocabulary import CONNECT, HELO, MAIL, MESSAGE, RCPT, TERMS
from tests.qsmtpd.rules.language import SITE, WORDS, fault
from tests.qsmtpd.rules.shapes import of_rule, shape

PAGE = b"""\
virus                       refuse      "{reason}"
relay                       accept
known-good                  accept
banned                      refuse      "{reason}"
blocked                     defer       "blocked until {until}: {reason}"
relay & (rss | dul)         refuse      "{ip} is listed by {lists}"
dul                         throttle 1                     # one recipient a session, 4xx for the rest
rss                         defer 90%                      # leaky on purpose
load > 80                   defer@connect
badrcpt >= 3 & badrcpt > goodrcpt   tarpit 5
spf-fail                    ?refuse                        # shadow: log what it would do, go on
"""


def one(text: str) -> Rule:
    """The rule of a file of one line."""
    (rule,) = parse(text.encode(), WORDS).rules
    return rule


def expression(text: str) -> object:
    return shape(one(f"{text} refuse").expression)


def action(text: str) -> Action:
    return one(f"dul {text}").action


def test_the_examples_of_the_page() -> None:
    rules = parse(PAGE, WORDS).rules

    assert [rule.action.verb for rule in rules] == [
        "refuse", "accept", "accept", "refuse", "defer", "refuse", "throttle", "defer", "defer", "tarpit", "refuse"]
    assert [rule.line for rule in rules] == list(range(1, 12))
    assert rules[5].lists == ("rss", "dul")
    assert (rules[6].action.number, rules[7].action.percent, rules[8].action.at) == (1, 90, CONNECT)
    assert (rules[4].action.text, rules[10].action.shadow) == ("blocked until {until}: {reason}", True)


@pytest.mark.parametrize(("text", "node"), [
    ("dul", Tag("dul")),
    ("any", Any()),
    ("unknown(spf-fail)", Unknown("spf-fail")),
    ("!dul", Not(Tag("dul"))),
    ("load > 80", Compare("load", ">", 80)),
    ("load<=0.5", Compare("load", "<=", 0.5)),
    ("badrcpt = goodrcpt", Compare("badrcpt", "=", "goodrcpt")),
    ("!load >= 1.0", Not(Compare("load", ">=", 1))),
    ("dul&rss&vip", And((Tag("dul"), Tag("rss"), Tag("vip")))),
    ("dul|rss|vip", Or((Tag("dul"), Tag("rss"), Tag("vip")))),
    ("(dul | rss) & vip", And((Or((Tag("dul"), Tag("rss"))), Tag("vip")))),
    ("dul | (rss & !vip)", Or((Tag("dul"), And((Tag("rss"), Not(Tag("vip"))))))),
    ("dul & (rss & vip)", And((Tag("dul"), And((Tag("rss"), Tag("vip")))))),
    ("!(!((dul)))", Not(Not(Tag("dul")))),
])
def test_expressions(text: str, node: object) -> None:
    assert expression(text) == shape(node)


@pytest.mark.parametrize(("text", "wanted"), [
    ("refuse", Action("refuse")),
    ("?refuse", Action("refuse", shadow=True)),
    ("refuse 550", Action("refuse", code=550)),
    ('refuse 550 5.7.1 "no, {ip}"', Action("refuse", code=550, status="5.7.1", text="no, {ip}")),
    ("refuse@helo 554", Action("refuse", at=HELO, code=554)),
    ('defer@mail "later"', Action("defer", at=MAIL, text="later")),
    ("defer 99.5%", Action("defer", percent=99.5)),
    ("defer 0% 450", Action("defer", percent=0, code=450)),
    ("close@connect 421 4.7.0", Action("close", at=CONNECT, code=421, status="4.7.0")),
    ("close 554", Action("close", code=554)),
    ("throttle", Action("throttle")),
    ("throttle 3", Action("throttle", number=3)),
    ("throttle 3 452 4.5.3", Action("throttle", number=3, code=452, status="4.5.3")),
    ("greylist 451 452", Action("greylist", number=451, code=452)),
    ("greylist 451 4.7.1", Action("greylist", code=451, status="4.7.1")),
    ("greylist 12.5", Action("greylist", number=12.5)),
    ("tarpit 451", Action("tarpit", number=451)),
    ('header "X-Listed: {lists}"', Action("header", text="X-Listed: {lists}")),
    ('?log "seen"', Action("log", shadow=True, text="seen")),
    ('quarantine "{reason}"', Action("quarantine", text="{reason}")),
    ("hold", Action("hold")),
    ('refuse ""', Action("refuse", text="")),
    ('refuse "a \\"b\\"\\nc # d"', Action("refuse", text='a \\"b\\"\\nc # d')),
])
def test_actions(text: str, wanted: Action) -> None:
    assert shape(action(text)) == shape(wanted)


@pytest.mark.parametrize("line", [
    "", " ", "\t", "# dul refuse", " # dul refuse", '\t# "', '#"', '# "a" # "b"'])
def test_lines_without_a_rule(line: str) -> None:
    assert parse(f"{line}\ndul accept\n{line}".encode(), WORDS).rules[0].line == 2


@pytest.mark.parametrize("line", [
    "dul refuse 550 # x", "dul refuse 550\t#x", 'dul refuse 550 # "x"', "\tdul\trefuse  550 ", "dul refuse 550 #"])
def test_comments_and_blanks(line: str) -> None:
    assert shape(one(line).action) == shape(Action("refuse", code=550))


@pytest.mark.parametrize("line", ['dul refuse "x" # "y"', 'dul refuse "x"\t#', 'dul refuse"x"', 'dul refuse "x" '])
def test_comments_behind_a_text(line: str) -> None:
    assert one(line).action.text == "x"


def test_blanks_are_only_needed_between_words() -> None:
    assert of_rule(one('load>80&dul?defer@connect 450"x"')) == of_rule(one('load > 80 & dul ? defer @ connect 450 "x"'))


@pytest.mark.parametrize(("line", "stage", "spoken"), [
    ("dul refuse", CONNECT, RCPT), ("dul defer@connect", CONNECT, CONNECT), ("dul defer@mail", CONNECT, MAIL),
    ("dul & helo-oneword refuse", HELO, RCPT), ("dul throttle", RCPT, RCPT), ("size > 1 refuse", MESSAGE, MESSAGE)])
def test_stages(line: str, stage: int, spoken: int) -> None:
    rule = one(line)

    assert (rule.stage, rule.spoken) == (stage, spoken)


@pytest.mark.parametrize(("text", "number"), [
    ("0", 0), ("007", 7), ("1.5", 1.5), ("2.0", 2), ("99999999999999999999", 10**20 - 1), ("9999999999999999999.9", 10**19)])
def test_numbers(text: str, number: float) -> None:
    assert shape(one(f"load > {text} refuse").expression) == shape(Compare("load", ">", number))


@pytest.mark.parametrize("text", [
    "1_000", "-1", "+5", "1e3", ".5", "5.", "1.2.3", "0x10", "inf", "nan", "1" * 21, "1." + "1" * 20, "9" * 400, "1 000"])
def test_hostile_numbers(text: str) -> None:
    """A59: digits and one dot, at most 20 digits."""
    with pytest.raises(RuleError):
        one(f"load > {text} refuse")


def test_the_first_fault_is_the_one_that_is_raised() -> None:
    with pytest.raises(RuleError) as raised:
        parse(b"dul accept\ndnul refuse\nrefuse\n\xff\n", WORDS)

    assert isinstance(raised.value, ValueError)
    assert str(raised.value) == 'line 2, column 1: no tag or fact has the name "dnul"; did you mean "dul"?'
    assert (raised.value.line, raised.value.column) == (2, 1)


def test_nesting() -> None:
    """A83: as deep as the limit and no deeper, and no recursion that runs away."""
    inner = "dul & (" * (NESTING_MAX - 1) + "!(dul & rss)" + ")" * (NESTING_MAX - 1)

    assert one(f"{inner} refuse").stage == CONNECT
    for depth in (NESTING_MAX + 1, 490):
        with pytest.raises(RuleError, match="column 65: more than 64 parentheses within one another"):
            one("(" * depth + "dul" + ")" * depth + " refuse")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes(text: bytes) -> None:
    """A fault, or rules; nothing else comes out."""
    said = str(fault(text))

    assert said.isascii()
    assert said.isprintable()


PIECES = [*sorted(WORDS), *PAGE.decode().split(), *'&|!()<=>?@"\\{}#%. \n\t\r\0', "unknown("]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["", " "]))
def test_any_words(words: list[str], blank: str) -> None:
    error = fault(blank.join(words).encode())

    assert error is None or (error.line >= 1 <= error.column)


@settings(max_examples=500, deadline=None)
@example(PAGE.index(b"until}"), 0, b"\t")
@given(st.integers(0, len(PAGE) - 1), st.integers(0, 12), st.binary(max_size=3))
def test_a_file_that_is_nearly_right(at: int, left_out: int, put_in: bytes) -> None:
    """Some bytes of the page's examples left out, others put in."""
    assert str(fault(PAGE[:at] + put_in + PAGE[at + left_out:])).isprintable()


@pytest.mark.parametrize("size", range(0, len(PAGE), 7))
def test_a_file_that_was_cut_off(size: int) -> None:
    """Whole lines are rules; half a line may be a fault, never another exception."""
    whole = PAGE[:size].count(b"\n")
    error = fault(PAGE[:size])

    assert error is None or error.line == whole + 1


def test_a_hundred_rules_are_read_in_no_time() -> None:
    """The budget is a millisecond; ten times that is a parser gone wrong, not a busy machine."""
    text = PAGE * 10
    spent = []
    for _ in range(20):
        began = time.process_time()
        parse(text, WORDS)
        spent.append(time.process_time() - began)

    assert min(spent) < 0.01


def test_the_sites_words_are_words() -> None:
    assert {name for name in WORDS if name not in TERMS} == set(SITE)
    with pytest.raises(RuleError, match="no tag or fact"):
        parse(b"dul refuse", TERMS)
