"""A session said again: what ends it, what is forgotten when, and what only who does not care goes through."""

from qsmtpd.qmail.control import Control
from qsmtpd.rules.vocabulary import CONNECT, HELO, MAIL, RCPT
from tests.conftest import QmailHome
from tests.play import environment
from tools.frontline.logged import Known, LoggedConfig
from tools.frontline.rerun import ACCEPTED, Rerun, Told

ALL = {CONNECT: True, HELO: True, MAIL: True}
GOOD = {b"to": b"good@bench.test", b"is": b"valid", b"code": b"250"}
LAST = {b"id": b"1.1", b"ip": b"192.0.2.1", b"helo": b"x"}


def rerun(home: QmailHome, rules: str, last: dict[bytes, bytes] = LAST, *, alone: bool = False) -> Rerun:
    home.write("rules", rules)
    with environment({"QMAILHOME": bytes(home.path)}):
        return Rerun(LoggedConfig(Control(str(home.control))), last, False, alone=alone)


def test_refused_at_connect_is_refused_for_good(qmail_home: QmailHome) -> None:
    of = rerun(qmail_home, "blocked refuse@connect\n")
    of.learn([Known(CONNECT, "blocked", True)])
    of.step(CONNECT, ALL)
    of.begin(b"a@b", ALL)

    assert of.so_far() == (Told(5, "1"), ())
    assert of.recipient(GOOD, ACCEPTED) == (Told(5, "1"), ())


def test_a_refused_sender_may_be_followed_by_another(qmail_home: QmailHome) -> None:
    of = rerun(qmail_home, "badmailfrom refuse@mail\n")
    of.step(CONNECT, ALL)
    found = []
    for bad in (True, False):
        of.forget(MAIL)
        of.learn([Known(MAIL, "badmailfrom", bad)])
        of.begin(b"a@b", ALL)
        found.append(of.recipient(GOOD, ACCEPTED)[0])

    assert found == [Told(5, "1"), ACCEPTED]


def test_a_session_that_is_closed_has_no_more_recipients(qmail_home: QmailHome) -> None:
    of = rerun(qmail_home, "rcpt >= 2 close\n")
    of.begin(b"a@b", ALL)

    assert [of.recipient(GOOD, ACCEPTED)[0] for _ in range(3)] == [ACCEPTED, Told(4, "1"), Told(4, "1")]
    of.begin(b"c@d", ALL)
    assert of.recipient(GOOD, ACCEPTED)[0] == Told(4, "1")


def test_counts_are_those_of_the_new_rules(qmail_home: QmailHome) -> None:
    """Who is not accepted any more does not count as accepted."""
    of = rerun(qmail_home, "badrcptto refuse\nany throttle 1\n")
    of.begin(b"a@b", ALL)
    found = []
    for bad in (True, False, False):
        of.forget(RCPT)
        of.learn([Known(RCPT, "badrcptto", bad)])
        found.append(of.recipient(GOOD, ACCEPTED)[0])

    assert found == [Told(5, "1"), ACCEPTED, Told(4, "2")]


def test_what_is_missing_is_named_and_the_log_is_believed(qmail_home: QmailHome) -> None:
    of = rerun(qmail_home, "goodrcpt >= 3 refuse\ngoodrcpt = 1 & noptr refuse\n")
    of.begin(b"a@b", ALL)

    found = [of.recipient(GOOD, ACCEPTED) for _ in range(3)]

    assert found == [(None, ("noptr",)), (ACCEPTED, ()), (Told(5, "1"), ())]


def test_what_is_the_same_for_everybody_is_not_forgotten(qmail_home: QmailHome) -> None:
    of = rerun(qmail_home, "badrcptto refuse\n")
    of.lasting = frozenset(("badrcptto",))
    of.learn([Known(RCPT, "badrcptto", False)])
    of.begin(b"a@b", ALL)
    of.forget(RCPT)

    assert of.recipient(GOOD, ACCEPTED)[0] == ACCEPTED


def test_who_was_refused_at_helo_and_went_on_would_do_so_again(qmail_home: QmailHome) -> None:
    rules = "null-sender accept\nhelo-oneword refuse@helo\n"
    for early, told in (({}, Told(5, "2")), ({b"early": b"1"}, ACCEPTED)):
        of = rerun(qmail_home, rules, {**LAST, **early})
        of.learn([Known(HELO, "helo-oneword", True)])
        of.begin(b"", ALL)
        assert of.recipient(GOOD, ACCEPTED)[0] == told


def test_the_rules_that_would_have_acted(qmail_home: QmailHome) -> None:
    from tools.frontline.replayed import Replay  # noqa: PLC0415 - only its list of them

    qmail_home.write("rules", "blocked ?refuse\nnoptr ?refuse\nblocked accept\nany ?refuse\n")
    with environment({"QMAILHOME": bytes(qmail_home.path)}):
        config = LoggedConfig(Control(str(qmail_home.control)))
    of = Rerun(config, LAST, False, alone=False)
    of.learn([Known(CONNECT, "blocked", True)])
    of.begin(b"a@b", ALL)

    assert of.recipient(GOOD, ACCEPTED)[0] == ACCEPTED
    assert list(of.holding(Replay(config).shadows, ACCEPTED)) == [1]
