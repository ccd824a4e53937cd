"""What a rule that has decided says, whoever speaks: the session, or qqshim.  Its defaults are tested in test_answers.py."""

import pytest

from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import Rule
from qsmtpd.rules.site import parse_tags, vocabulary
from qsmtpd.rules.vocabulary import CONNECT, CONTENT
from qsmtpd.rules.wording import UNSURE, lists, reasons, wording

WORDS = vocabulary(parse_tags(b"rss dnsbl rss.test\nrbl dnsbl rbl.test\n"))


def rule(text: str) -> Rule:
    return parse(text.encode(), WORDS).rules[0]


def test_its_own_words() -> None:
    found = wording(rule(r'virus refuse 554 "no {reason}\nat all"'), "refuse", CONTENT, {"reason": b"Eicar\r\n250 ok"})

    assert (found.code, found.status, found.lines) == (554, "5.7.1", (b"no Eicar??250 ok", b"at all"))


@pytest.mark.parametrize("verb", ["refuse", "quarantine", "discard", "close"])
def test_a_fault_of_ours_is_not_the_senders(verb: str) -> None:
    """Whatever the rule's own words say: they are about a message that is refused."""
    assert wording(rule(f"spam {verb}"), "defer", CONTENT, {}) is UNSURE
    assert wording(rule(f"any {verb}"), "defer", CONNECT, {}).code == 421


def test_reasons_of_what_holds() -> None:
    found = rule('(virus | spam | rss) & !relay refuse "{reason}"')
    why = {"virus": b"Eicar", "rss": b"stale", "relay": b"never"}

    assert reasons(found, {"virus": True, "spam": True, "rss": False, "relay": False}, why) == b"Eicar"
    assert reasons(found, {"virus": None}, why) == b""


def test_lists_of_the_rule() -> None:
    assert lists(rule('rss | rbl refuse "{lists}"'), {"rss": True, "rbl": False}) == b"rss"
