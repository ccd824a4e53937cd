"""The names of held messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdq import names
from holdq.names import Held

ID = "6920a3c1-9f3c2a7b51d2e4f6"


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1), st.integers(0, 10**12 - 1), st.booleans())
def test_round_trip(attempts: int, crashes: int, due: int, released: bool) -> None:
    held = Held(ID, attempts, crashes, due, released)

    assert names.parse(held.name) == held
    assert len(held.name) < 100


@given(st.text(max_size=80) | st.lists(st.text(alphabet="0123456789-r ٣_", max_size=12), min_size=4, max_size=4).map(
    lambda fields: ",".join([ID, *fields])))
def test_garbage_is_a_value_error(name: str) -> None:
    """A132: also digits of other scripts, leading zeros, signs."""
    try:
        held = names.parse(name)
    except ValueError:
        return
    assert held.name == name


@pytest.mark.parametrize("name", ["", ID, f"{ID},0,0,0,x", f"{ID},0,0,0", f"{ID},0,0,0,-,", f"{ID},00,0,0,-", f"{ID},-1,0,0,-",
                                  f"{ID},1_0,0,0,-", f"{ID},0,0,{'9' * 13},-", f"../{ID},0,0,0,-", f"{ID},0,0,0,-\n"])
def test_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        names.parse(name)


def test_its_life() -> None:
    held = Held(ID)
    tried = held.begun().begun()

    assert (tried.attempts, tried.crashes) == (2, 2)
    assert tried.waiting(5) == Held(ID, 2, 0, 5)
    assert tried.let_go() == Held(ID, 2, 0, 0, released=True)
    assert tried.let_go().begun().waiting(9) == Held(ID, 3, 0, 9)
    assert held.arrival == 0x6920A3C1
