"""The frames of the door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdq import wire


@given(st.sampled_from([b"H", b"M", b"E", b"Q"]), st.binary(max_size=200))
def test_round_trip(letter: bytes, data: bytes) -> None:
    sent = wire.frame(letter, data)

    assert wire.head(sent[:wire.HEAD.size]) == (letter, len(data))
    assert sent[wire.HEAD.size:] == data


@given(st.binary(min_size=5, max_size=5))
def test_garbage_is_a_wire_error_or_a_frame_of_bounded_length(data: bytes) -> None:
    try:
        letter, length = wire.head(data)
    except wire.WireError:
        return
    assert letter in (b"H", b"M", b"E", b"Q")
    assert length <= wire.FRAME_MAX


def test_a_piece_of_holdq_queue_fits() -> None:
    assert wire.head(wire.frame(b"M", bytes(65536))[:5]) == (b"M", 65536)
    with pytest.raises(wire.WireError):
        wire.head(wire.frame(b"M", bytes(65537))[:5])
