"""Rules by chance: whatever the grammar allows, as objects, with the values of all that they name."""

from hypothesis import strategies as st

from qsmtpd.rules.expression import And, Any, Compare, Not, Or, Tag, Unknown
from qsmtpd.rules.parse import RuleError, parse
from qsmtpd.rules.rule import VERBS, Action, Rule, Rules
from qsmtpd.rules.site import SiteTag, vocabulary
from qsmtpd.rules.text import PLACEHOLDERS
from qsmtpd.rules.vocabulary import RCPT, TERMS, Term

Expression = Tag | Unknown | Any | Compare | Not | And | Or

SITE = {
    "dul": SiteTag("dul", "dnsbl", "dul.example"), "rss": SiteTag("rss", "dnsbl", "rss.example"),
    "badurl": SiteTag("badurl", "rhsbl", "rhs.example"), "vip": SiteTag("vip", "rcpt", "vip"),
}
WORDS: dict[str, Term] = vocabulary(SITE)

TAGS = ("relay", "dul", "rss", "noptr", "helo-oneword", "spf-fail", "badurl", "known-good", "vip", "not-addressed", "virus")
FACTS = ("load", "sessions", "badrcpt", "goodrcpt", "size", "score")
"""Some of every stage; few, so that they meet."""


def fault(text: bytes) -> RuleError | None:
    """What is wrong with a file of rules, None when nothing is; any other exception comes through."""
    try:
        parse(text, WORDS)
    except RuleError as error:
        return error
    return None


PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)

numbers = st.integers(0, 10**20 - 1) | st.integers(0, 6) | st.decimals(0, 10**9, places=6).map(float) | st.sampled_from(
    [0.1, 0.0001, 0.0000001, 0.000012345678901234])
small = st.integers(0, 5)


@st.composite
def comparisons(draw: st.DrawFn, right: st.SearchStrategy[float], facts: tuple[str, ...] = FACTS) -> Compare:
    """FACT OPERATOR (NUMBER | FACT)."""
    other = draw(right | st.sampled_from(facts))
    whole = int(other) if isinstance(other, float) and other.is_integer() else other
    return Compare(draw(st.sampled_from(facts)), draw(st.sampled_from(["<", "<=", "=", ">=", ">"])), whole)


def expressions(
        right: st.SearchStrategy[float] = small, unknown: bool = True, words: tuple[str, ...] = TAGS,
        facts: tuple[str, ...] = FACTS) -> st.SearchStrategy[Expression]:
    """Any expression; unknown is False: without unknown(); words and facts  the names to take."""
    tags = st.sampled_from(words)
    leaf: st.SearchStrategy[Expression] = st.one_of(tags.map(Tag), tags.map(Tag), comparisons(right, facts), st.builds(Any))
    if unknown:
        leaf |= tags.map(Unknown)
    return st.recursive(leaf, lambda inner: st.one_of(
        inner.map(Not), st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or)), max_leaves=6)


texts = st.lists(st.one_of(
    st.text(PRINTABLE, max_size=8).map(lambda text: text.replace("\\", "").replace('"', "").replace("{", "")),
    st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS]), st.sampled_from(['\\"', "\\n"])), max_size=4).map("".join)
fields = texts.map(lambda text: f"X-Checked: {text}".replace("\\n", ""))
lines = texts.map(lambda text: text.replace("\\n", ""))


@st.composite
def actions(draw: st.DrawFn, stage: int) -> Action:
    """Any action of a rule that can be decided from the stage on."""
    late = ("throttle", "greylist") if stage > RCPT else ()
    verb = draw(st.sampled_from(["accept", "refuse", *[verb for verb in VERBS if verb not in late]]))
    action = Action(verb, shadow=draw(st.sampled_from([False, False, False, True])))
    if verb in ("throttle", "greylist", "tarpit") and (verb == "tarpit" or draw(st.booleans())):
        action.number = draw(small)
    if verb == "defer" and draw(st.booleans()):
        action.percent = draw(st.sampled_from([0, 1, 50, 99.5, 100]))
    if verb in ("refuse", "close", "defer", "throttle", "greylist") and draw(st.booleans()):
        action.code = 550 if verb in ("refuse", "close") else 451
        action.status = draw(st.sampled_from(["", f"{action.code // 100}.7.1"]))
        if verb in ("throttle", "greylist") and action.number is None and not action.status:
            action.code = 0
    if verb not in ("throttle", "greylist", "quarantine", "discard") and stage < 3:
        action.at = draw(st.none() | st.integers(stage, 2))
    if verb in ("header", "log"):
        action.text = draw(fields if verb == "header" else lines)
    elif verb not in ("accept", "tarpit"):
        action.text = draw(st.none() | texts)
    return action


@st.composite
def rules(draw: st.DrawFn, right: st.SearchStrategy[float] = small, unknown: bool = True) -> Rules:
    """A file of a few rules."""
    found = []
    for expression in draw(st.lists(expressions(right, unknown), min_size=1, max_size=8)):
        stage = max((WORDS[name].stage for name in expression.names), default=0)
        found.append(Rule(len(found) + 1, expression, draw(actions(stage)), WORDS))
    return Rules(found)


@st.composite
def values(draw: st.DrawFn, certain: bool = False) -> dict[str, bool | float | None]:
    """What every look-up would answer; certain: none fails."""
    failed = st.nothing() if certain else st.none()
    found: dict[str, bool | float | None] = {name: draw(st.booleans() | failed) for name in TAGS}
    for name in (*FACTS, "accepted", "greylist-age", "greylist-delay"):
        found[name] = draw(small | failed)
    for line in range(1, 9):
        found[f"draw:{line}"] = draw(st.sampled_from([0, 50, 99.9]))
    return found


assert set(TAGS + FACTS) <= set(WORDS)
assert TERMS.keys() <= WORDS.keys()
