"""A log under its own rules: nothing changes, and nothing is undecidable; under others, what the session itself would say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.qmail.control import Control
from qsmtpd.qmail.logline import format_line
from tests.conftest import QmailHome
from tests.play import Played, environment
from tests.tools.frontline import talks
from tools.frontline.logged import LoggedConfig
from tools.frontline.replayed import Outcome, Replay
from tools.frontline.sessions import Sessions

ENVIRONMENTS = st.sampled_from(talks.ENVIRONMENTS)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> QmailHome:
    """A home for all of them; each has rules of its own."""
    home = QmailHome(tmp_path_factory.mktemp("site") / "qmail")
    talks.prepare(home)
    return home


def log(home: QmailHome, rules: str, said: bytes, env: dict[str, bytes]) -> list[bytes]:
    """The lines of a session under these rules, by the driver of qsmtpd."""
    home.write("rules", rules)
    return [format_line(event, pairs.items()).removesuffix(b"\n") for event, pairs in Played(home, env, [said]).lines]


def replayed(home: QmailHome, rules: str, lines: list[bytes]) -> list[Outcome]:
    home.write("rules", rules)
    with environment({"QMAILHOME": bytes(home.path)}):
        replay = Replay(LoggedConfig(Control(str(home.control))))
    return [outcome for session in Sessions().of(lines) for outcome in replay.session(session)[1]]


@settings(max_examples=300, deadline=None)
@given(rules=talks.RULES, said=talks.TALKS, env=ENVIRONMENTS, lists=st.booleans())
def test_under_its_own_rules_nothing_changes(
        rules: str, said: bytes, env: dict[str, bytes], lists: bool, site: QmailHome) -> None:
    """Not the code, not the rule; whatever the client said, in whatever order.

    Of a client that says EHLO after its recipients the log does not show that it came so late.
    """
    for name in ("badmailfrom", "badrcptto"):
        if lists:
            talks.prepare(site)
        else:  # what is the same for everybody is asked, and logged, once in a session
            (site.control / name).unlink(missing_ok=True)
    lines = log(site, rules, said, env)

    for outcome in replayed(site, rules, lines):
        assert outcome.after == outcome.before or outcome.after is None
        assert outcome.after is not None or not outcome.recipient or (b"EHLO" in said and not said.startswith(b"EHLO"))


TALK = st.tuples(st.sampled_from(talks.SENDERS), st.lists(st.sampled_from(talks.RECIPIENTS), min_size=1, max_size=5))
SPOKEN_AT_RCPT = talks.RULES.filter(lambda rules: "@" not in rules and "%" not in rules)


@settings(max_examples=300, deadline=None)
@given(old=SPOKEN_AT_RCPT, new=SPOKEN_AT_RCPT, talk=TALK, env=ENVIRONMENTS)
def test_under_other_rules_it_says_what_the_session_would(
        old: str, new: str, talk: tuple[str, list[str]], env: dict[str, bytes], site: QmailHome) -> None:
    """For as long as the log of the one session says enough: the replies of the other, and the rules that gave them."""
    said = talks.talk([("client.test", [(*talk, False)])], False)
    found = replayed(site, new, log(site, old, said, env))

    real = replayed(site, new, log(site, new, said, env))
    so_far = []
    for outcome in found:
        if outcome.after is None:
            break
        so_far.append(outcome.after)
    told = [outcome.before for outcome in real]

    assert so_far[:len(told)] == told[:len(so_far)]
