"""The trailer of a message file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdq import message
from holdq.message import SIZE, Trailer


@given(st.fixed_dictionaries({
    "message": st.integers(0, 10**18), "envelope": st.integers(0, 10**18), "recipients": st.integers(0, 10**10 - 1),
    "arrival": st.integers(0, 10**12 - 1), "uid": st.integers(0, 2**32 - 1), "pid": st.integers(0, 2**31)}))
def test_round_trip(numbers: dict[str, int]) -> None:
    packed = Trailer(**numbers).pack()
    parsed = message.parse(packed, numbers["message"] + numbers["envelope"] + SIZE)

    assert len(packed) == SIZE
    assert {name: getattr(parsed, name) for name in numbers} == numbers


PACKED = Trailer(message=100, envelope=20, recipients=1, arrival=1, uid=2, pid=3).pack()


@given(st.binary(max_size=120) | st.binary(min_size=SIZE, max_size=SIZE))
def test_garbage_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        message.parse(data, 213)


@given(st.integers(0, SIZE - 1), st.integers(0, 255))
def test_a_changed_byte_is_seen_or_changes_a_number_that_does_not_matter(at: int, byte: int) -> None:
    """What decides where the envelope begins cannot change unseen, but by two digits at once."""
    changed = PACKED[:at] + bytes([byte]) + PACKED[at + 1:]
    try:
        parsed = message.parse(changed, 213)
    except ValueError:
        return
    assert (parsed.message, parsed.envelope) == (100, 20)


@pytest.mark.parametrize("cut", range(SIZE))
def test_a_part_is_seen(cut: int) -> None:
    """A file that was cut anywhere."""
    with pytest.raises(ValueError):  # noqa: PT011
        message.parse(PACKED[:cut], 120 + cut)
