"""Deadlines of many."""

import gc
import math
import weakref

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.drivers.wheel import FAR, Wheel


class Timed:
    """Somebody whose deadline may move."""

    def __init__(self, deadline: float) -> None:
        self.at = deadline
        self.expired = 0

    def deadline(self) -> float:
        return self.at

    def expire(self) -> None:
        self.expired += 1
        self.at = math.inf


@given(st.lists(st.floats(0, 100), max_size=20), st.lists(st.floats(0, 5), max_size=60))
def test_each_expires_once_and_never_early(deadlines: list[float], steps: list[float]) -> None:
    wheel, timed = Wheel(0), [Timed(each) for each in deadlines]
    for each in timed:
        wheel.add(each)
    now = 0.0
    for step in steps:
        now += step
        before = [each.at for each in timed]
        wheel.sweep(now)
        for each, deadline in zip(timed, before, strict=True):
            assert each.expired == 0 or each.at == math.inf
            assert deadline > now - 1.0 or each.expired, "more than a second late"
            assert each.expired == 0 or deadline <= now or deadline == math.inf
    wheel.sweep(now + 200)

    assert [each.expired for each in timed] == [1] * len(timed)


def test_who_was_given_more_time_is_asked_again() -> None:
    wheel, timed = Wheel(0), Timed(5)
    wheel.add(timed)
    timed.at = 60

    wheel.sweep(30)
    assert timed.expired == 0

    wheel.sweep(62)
    assert timed.expired == 1


def test_who_has_no_deadline_is_let_go() -> None:
    wheel, timed = Wheel(0), Timed(2)
    wheel.add(timed)
    timed.at = math.inf
    wheel.sweep(10)
    timed.at = 11

    wheel.sweep(1000)

    assert timed.expired == 0


def test_a_deadline_that_stands_only_later() -> None:
    """A34: a connection is watched over before its conversation has begun, and has said what its limits are."""
    wheel, timed = Wheel(0), Timed(math.inf)
    wheel.add(timed)
    timed.at = 3
    wheel.sweep(1.5)
    assert timed.expired == 0

    wheel.sweep(4)
    assert timed.expired == 1


def test_who_has_gone_is_not_kept_until_his_deadline() -> None:
    """A39: connections that come and go, each with twenty minutes to live."""
    wheel, timed = Wheel(0), Timed(1200)
    wheel.add(timed)
    wheel.sweep(1)
    timed.at = math.inf
    gone = weakref.ref(timed)
    del timed
    for second in range(2, FAR + 3):
        wheel.sweep(second)
    gc.collect()

    assert gone() is None


def test_a_deadline_that_is_over_already() -> None:
    wheel, timed = Wheel(100), Timed(3)
    wheel.add(timed)
    wheel.sweep(101.5)

    assert timed.expired == 1
