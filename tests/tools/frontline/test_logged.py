"""What a log says is known, what it does not say is not: and nothing is looked up."""

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.qmail.control import Control
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.vocabulary import CONNECT, MAIL, RCPT
from tests.conftest import QmailHome
from tests.play import environment
from tests.qsmtpd.world import DictLookups, mail
from tools.frontline.logged import (
    CUT,
    NOT_LOGGED,
    Known,
    LoggedConfig,
    LoggedLookups,
    LoggedRecipient,
    NotLoggedError,
    policy,
)


def config(home: QmailHome, rules: str = "relay accept\nnoptr refuse\n") -> LoggedConfig:
    home.write("rules", rules)
    with environment({"QMAILHOME": bytes(home.path)}):
        return LoggedConfig(Control(str(home.control)))


def test_words_of_a_line(qmail_home: QmailHome) -> None:
    """Those of other rules, such as changed their kind, and what the policy counts itself are left out."""
    of = config(qmail_home)

    known = of.known(b"noptr,!spf-fail,?badmailfrom,greylist-age:12.5,draw:3:50,gone,load,!rate,null-sender,accepted:2,relay")

    assert known == (
        Known(CONNECT, "noptr", True), Known(MAIL, "spf-fail", False), Known(MAIL, "badmailfrom", None),
        Known(RCPT, "greylist-age", 12.5), Known(CONNECT, "draw:3", 50), Known(CONNECT, "relay", True))
    assert of.known(b"") == ()


def test_a_value_that_was_cut_loses_its_last_word(qmail_home: QmailHome) -> None:
    """ "noptr" may have been the beginning of another word."""
    of = config(qmail_home)
    others = b",".join(b"a-word-of-another-time-%d" % number for number in range(100))

    assert of.known((b"!relay," + others)[:CUT - 6] + b",noptr") == (Known(CONNECT, "relay", False),)


def test_rules_that_change_nothing_are_not_read(qmail_home: QmailHome) -> None:
    """So that what they ask for makes nothing undecidable."""
    of = config(qmail_home, 'noptr ?refuse\nnoptr log "x"\nspf-fail header "X-Y: z"\nnoptr tarpit 3\nrelay accept\n')

    assert [rule.line for rule in of.rules.rules] == [5]
    assert len(of.whole.rules) == 5


def test_what_was_not_looked_up_is_not_known(qmail_home: QmailHome) -> None:
    last = {b"id": b"1.1", b"ip": b"192.0.2.1"}
    session = policy(config(qmail_home), b"1.1", last, False)

    with pytest.raises(NotLoggedError, match="noptr"):
        complete(session.knowledge.ask(("noptr",)))
    with pytest.raises(NotLoggedError):
        complete(NOT_LOGGED(mail(), DictLookups(), ("spf-fail",)))
    with pytest.raises(NotLoggedError):
        _ = LoggedLookups(b"1.1").store
    complete(session.knowledge.ask(("relay",)))
    assert session.knowledge.values["relay"] is False


def test_a_client_of_which_nobody_says_whether_it_may_relay(qmail_home: QmailHome) -> None:
    session = policy(config(qmail_home), b"1.1", {b"id": b"1.1"}, None)

    with pytest.raises(NotLoggedError, match="relay"):
        complete(session.knowledge.ask(("relay",)))
    session.knowledge.values["relay"] = True
    complete(session.knowledge.ask(("relay",)))


def test_what_is_drawn_is_the_same_each_time() -> None:
    drawn = [LoggedLookups(b"%d.1" % number).draw(3) for number in range(1000)]

    assert drawn == [LoggedLookups(b"%d.1" % number).draw(3) for number in range(1000)]
    assert all(0 <= each < 100 for each in drawn)
    assert 400 < sum(each < 50 for each in drawn) < 600


LINES = [
    ({b"is": b"valid", b"code": b"250"}, (True, True, True)),
    ({b"is": b"invalid", b"code": b"550", b"rule": b"validrcpt"}, (True, False, True)),
    ({b"is": b"foreign", b"code": b"553", b"rule": b"rcpthosts"}, (False, None, True)),
    ({b"is": b"invalid", b"code": b"550", b"rule": b"callout"}, (True, None, False)),
    ({b"is": b"unchecked", b"code": b"250"}, (True, None, True)),
]


@pytest.mark.parametrize(("line", "facts"), LINES)
def test_a_recipient_as_logged(line: dict[bytes, bytes], facts: tuple[bool, bool | None, bool]) -> None:
    of = LoggedRecipient(asks_servers=True)
    of.take(line)

    known = complete(of.knows(b"a@b", DictLookups()))
    assert (of.has(b"b", None, DictLookups()), known) == facts[:2]
    if facts[0] and line[b"code"] != b"550":
        assert complete(of(mail(), DictLookups())) is facts[2]


def test_a_server_that_was_not_asked_or_did_not_answer() -> None:
    of = LoggedRecipient(asks_servers=True)
    of.take({b"is": b"valid", b"code": b"550", b"rule": b"3"})
    with pytest.raises(NotLoggedError, match="callout"):
        complete(of(mail(), DictLookups()))

    of.take({b"is": b"unchecked", b"code": b"451", b"rule": b"callout"})
    with pytest.raises(LookupFailedError):
        complete(of(mail(), DictLookups()))
