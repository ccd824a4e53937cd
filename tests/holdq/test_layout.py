"""The names of new messages, and the poke."""

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdq import layout
from tests.holdq.site import Site


@given(st.floats(-1e12, 1e12))
def test_every_id_is_one_and_keeps_its_time(now: float) -> None:
    """A141: also at a time before 1970 or in a far century."""
    identity = layout.new_id(now)

    assert layout.is_id(identity)
    assert layout.arrival(identity) == max(0, int(now))


def test_ids_do_not_need_the_clock_or_the_pid() -> None:
    """A141, A142: a clock that stands still, one process."""
    assert len({layout.new_id(0) for _ in range(10_000)}) == 10_000


@given(st.text(alphabet=string.hexdigits + "-,./\n\0", max_size=40))
def test_few_things_are_ids(name: str) -> None:
    if layout.is_id(name):
        assert len(name) in (25, 26, 27)
        assert set(name) <= set("0123456789abcdef-")


@pytest.mark.parametrize("name", ["", "-", ".", "..", "6920a3c1-9f3c2a7b51d2e4f6\n", "6920A3C1-9f3c2a7b51d2e4f6",
                                  "6920a3c1-9f3c2a7b51d2e4f6,0", "part.6920a3c1-9f3c2a7b51d2e4f6"])
def test_no_id(name: str) -> None:
    assert not layout.is_id(name)


def test_poke_reaches_whoever_listens(site: Site) -> None:
    trigger = os.open(site.spool.trigger, os.O_RDONLY | os.O_NONBLOCK)
    layout.poke(site.spool)
    layout.poke(site.spool, b"r")

    assert os.read(trigger, 10) == b"nr"
    os.close(trigger)


def test_poke_does_not_mind_that_nobody_listens(site: Site) -> None:
    layout.poke(site.spool)
    os.unlink(site.spool.trigger)
    layout.poke(site.spool)

    assert not os.path.exists(site.spool.trigger)  # a file there would swallow what is meant for the runner


def test_a_full_trigger_does_not_hold_the_mail(site: Site) -> None:
    trigger = os.open(site.spool.trigger, os.O_RDONLY | os.O_NONBLOCK)
    for _ in range(66_000):
        layout.poke(site.spool)

    assert len(os.read(trigger, 100_000)) == 65_536
    os.close(trigger)
