"""What is at hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import Mail
from qsmtpd.checks.counts import COUNTS, NEVER, VALUES
from qsmtpd.rules.vocabulary import TERMS
from tests.qsmtpd.world import Settings, mail


def test_every_word_that_costs_nothing_is_here() -> None:
    assert set(VALUES) == {name for name, term in TERMS.items() if term.check in ("session", "nullsender", "recipient", "size")}


def in_hand(
        known: bool | None = True, ours: bool = True, accepted: int = 0, bad: int = 0, sender: bytes = b"") -> Mail:
    of = mail(b"x@bench.test", sender=sender)
    of.known, of.ours, of.good, of.bad, of.rcpt = known, ours, accepted, bad, accepted + bad + (known is not False)
    of.recipients = [b"y@bench.test"] * accepted
    return of


@pytest.mark.parametrize(("name", "of", "expected"), [
    ("goodrcpt", {"accepted": 2}, 3), ("goodrcpt", {"accepted": 2, "known": False}, 2), ("goodrcpt", {"ours": False}, 0),
    ("accepted", {"accepted": 2}, 2), ("badrcpt", {"known": False, "bad": 4}, 4),
    ("badpercent", {"accepted": 0, "bad": 3}, 75), ("badpercent", {"known": False, "bad": 3}, 100),
    ("too-many-rcpt", {"accepted": 1}, False), ("too-many-rcpt", {"accepted": 2}, True),
    ("too-many-rcpt", {"accepted": 2, "known": False}, False), ("too-many-rcpt", {"accepted": 2, "ours": False}, False),
    ("too-many-bad", {"known": False, "bad": 3}, False), ("too-many-bad", {"known": False, "bad": 4}, True),
    ("too-many-bad", {"known": True, "bad": 4}, False),
    ("bounce-many", {"accepted": 0}, False), ("bounce-many", {"accepted": 1}, True),
    ("bounce-many", {"accepted": 1, "sender": b"a@b.test"}, False),
    ("valid", {"known": None}, None), ("invalid", {"known": None}, False), ("invalid", {"known": False}, True),
    ("null-sender", {}, True), ("greetdelay", {}, -9), ("greylist-delay", {}, 5), ("relay", {}, False),
])
def test_value(name: str, of: dict[str, Any], expected: object) -> None:
    assert VALUES[name](in_hand(**of), Settings(maxrecipients=2, brtlimit=3, greetdelay=-9)) == expected


def test_limits_of_nothing() -> None:
    of = mail()
    of.known, of.bad, of.recipients = False, 10**6, [b""] * 10**4

    assert not VALUES["too-many-bad"](of, Settings(brtlimit=0))
    assert not VALUES["too-many-rcpt"](of, Settings(maxrecipients=0))


@given(st.builds(dict, known=st.sampled_from([True, False, None]), ours=st.booleans(), accepted=st.integers(0, 3),
                 bad=st.integers(0, 3), sender=st.sampled_from([b"", b"a@b.test"])), st.integers(0, 1), st.integers(0, 1))
def test_what_never_holds_does_not(of: dict[str, Any], maxrecipients: int, brtlimit: int) -> None:
    limits = Settings(maxrecipients=maxrecipients, brtlimit=brtlimit)
    session = in_hand(**of)

    for name, never in NEVER.items():
        if never(session, limits):
            assert COUNTS[name](session, limits) is False
    assert set(NEVER) <= set(COUNTS)


def test_of_the_message_alone() -> None:
    of = mail()
    of.rcpt, of.good, of.bad = 10, 5, 4
    of.begin(b"", b"SMTP")
    of.rcpt, of.bad, of.known = 12, 5, True

    assert [VALUES[name](of, Settings()) for name in ("mail-rcpt", "mail-goodrcpt", "mail-badrcpt")] == [2, 1, 1]
