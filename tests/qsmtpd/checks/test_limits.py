"""The time that a session may be held up."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.limits import TARPIT_MAX, Tarpit


def test_so_many_are_answered_at_once() -> None:
    tarpit = Tarpit(count=2, delay=5)

    assert [tarpit.for_invalid(bad) for bad in (1, 2, 3, 4)] == [0, 0, 5, 5]


def test_a_count_of_nothing_is_no_delay() -> None:
    assert Tarpit(count=0, delay=5).for_invalid(1000) == 0


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_it_ends(wanted: list[float]) -> None:
    tarpit = Tarpit(1, 1)

    assert 0 <= sum([tarpit.take(seconds) for seconds in wanted]) <= TARPIT_MAX + 1e-9
