"""One reply for recipients whose rules do not agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.fates import ACCEPT, DEFER, REFUSE, fate

VERBS = st.lists(st.sampled_from(["accept", "refuse", "close", "defer", "quarantine", "discard"]), min_size=1, max_size=6)


@pytest.mark.parametrize(("verbs", "reply", "deliver", "quarantine"), [
    (["accept", "accept"], ACCEPT, (0, 1), ()),
    (["refuse", "close"], REFUSE, (), ()),
    (["accept", "defer", "refuse"], DEFER, (), ()),
    (["refuse", "accept"], ACCEPT, (1,), (0,)),
    (["quarantine", "accept", "discard"], ACCEPT, (1,), (0,)),
    (["discard"], ACCEPT, (), ()),
    (["refuse", "discard"], ACCEPT, (), (0,)),
])
def test_fate(verbs: list[str], reply: int, deliver: tuple[int, ...], quarantine: tuple[int, ...]) -> None:
    found = fate(verbs)

    assert (found.reply, found.deliver, found.quarantine) == (reply, deliver, quarantine)


@given(VERBS)
def test_nobody_who_accepts_goes_without(verbs: list[str]) -> None:
    """Taken: all who accept get it, all who would refuse have it put aside; else nobody does, and the client is told."""
    found = fate(verbs)

    if found.reply == ACCEPT:
        assert found.deliver == tuple(i for i, verb in enumerate(verbs) if verb == "accept")
        assert found.quarantine == tuple(i for i, verb in enumerate(verbs) if verb in ("refuse", "close", "quarantine"))
    else:
        assert verbs[found.first] in (("defer",) if found.reply == DEFER else ("refuse", "close"))
        assert not found.deliver + found.quarantine
