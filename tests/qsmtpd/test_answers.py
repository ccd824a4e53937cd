"""The reply of a rule."""

import pytest

from qsmtpd.answers import answer, values
from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import Rule
from qsmtpd.rules.site import parse_tags, vocabulary
from qsmtpd.rules.vocabulary import CONNECT, RCPT
from tests.qsmtpd.world import mail

WORDS = vocabulary(parse_tags(b"rss dnsbl rss.test\nrbl dnsbl rbl.test\n"))


def rule(text: str) -> Rule:
    return parse(text.encode(), WORDS).rules[0]


@pytest.mark.parametrize(("text", "wire"), [
    ("any refuse", b"550 5.7.1 sorry, not by the rules of this site"),
    ("any refuse 553", b"553 5.7.1 sorry, not by the rules of this site"),
    ('any refuse 554 5.6.0 "x"', b"554 5.6.0 x"),
    ("any defer", b"451 4.7.1 sorry, not now by the rules of this site, try again later"),
    ("any defer 90%", b"451 4.7.1 sorry, not now by the rules of this site, try again later"),
    ('any defer 450 "later {ip}"', b"450 4.7.1 later 192.0.2.1"),
    ("any throttle", b"452 4.5.3 sorry, no more recipients in this session, try again later"),
    ("any greylist", b"451 4.7.1 sorry, we have not met before, try again in some minutes"),
    ("any close", b"421 4.7.0 sorry, not by the rules of this site, goodbye"),
    ('any close 554 "bye"', b"554 5.7.1 bye"),
    (r'any refuse "one\ntwo"', b"550-5.7.1 one\r\n550 5.7.1 two"),
])
def test_by_default_and_as_written(text: str, wire: bytes) -> None:
    found = rule(text)
    verb = "defer" if found.condition else found.action.verb

    reply = answer(found, verb, RCPT, values(found, mail(), {}))

    assert reply.wire == wire + b"\r\n"
    assert reply.closes == (found.action.verb == "close")


@pytest.mark.parametrize(
    ("text", "code"), [("any refuse@connect", 554), ("any defer@connect", 421), ("any close@connect", 421)])
def test_at_connect_it_ends_the_connection(text: str, code: int) -> None:
    found = rule(text)
    reply = answer(found, found.action.verb, CONNECT, {})

    assert (reply.code, reply.closes) == (code, True)


@pytest.mark.parametrize("verb", ["refuse", "close", "quarantine", "discard"])
@pytest.mark.parametrize("stage", [CONNECT, RCPT])
def test_what_is_not_sure_is_temporary_and_has_its_own_words(verb: str, stage: int) -> None:
    reply = answer(rule(f"any {verb}"), "defer", stage, {})

    assert reply.code in (421, 451)


def test_what_may_stand_in_braces() -> None:
    text = "{ip}/{ptr}/{helo}/{sender}/{rcpt}/{lists}/{reason}/{until}/{score}/{rule}"
    found = rule(f'(rss | rbl | blocked) & rcpt >= 0 refuse "{text}"')
    session = mail(b"r@bench.test", sender=b"s@x.test", helo=b"h")
    session.reasons.update({"rss": b"127.0.0.2 from rss.test", "rbl": b"stale", "blocked": b"too much"})
    session.until = b"tomorrow"
    known = {"rss": True, "rbl": False, "blocked": True, "rcpt": 1, "score": 5.25}

    line = answer(found, "refuse", RCPT, values(found, session, known)).wire

    assert line == (b"550 5.7.1 192.0.2.1/unknown/h/s@x.test/r@bench.test/rss/"
                    b"127.0.0.2 from rss.test, too much/tomorrow/5.2/1\r\n")
