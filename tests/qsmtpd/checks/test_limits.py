"""The time that a session may be held up."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.limits import TARPIT_MAX, Tarpit


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_it_ends(wanted: list[float]) -> None:
    tarpit = Tarpit(1, 1)

    assert 0 <= sum([tarpit.take(seconds) for seconds in wanted]) <= TARPIT_MAX + 1e-9
