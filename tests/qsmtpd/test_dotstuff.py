"""The decoder of the message against one that is written byte by byte from the RFC, and the counting of hops."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qsmtpd.dotstuff import Body, DotDecoder, HopCounter, StrayNewlineError

ALPHABET = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\r\n.\r\n", b"\0"]), max_size=25).map(b"".join)


def slowly(data: bytes) -> tuple[bytes, bytes | None] | None:
    """Line by line: what is stored and what follows the end (None: it has not come); None for a stray newline."""
    stored = b""
    while True:
        line, newline, rest = data.partition(b"\n")
        if not newline:
            return stored, None
        if not line.endswith(b"\r"):
            return None
        line = line[:-1]
        if line == b".":
            return stored, rest
        stored += line.removeprefix(b".").replace(b"\r", b" ") + b"\n"
        data = rest


def decode(pieces: list[bytes]) -> tuple[bytes, bytes | None] | None:
    decoder, stored = DotDecoder(), b""
    try:
        for i, piece in enumerate(pieces):
            stored += decoder.feed(piece)
            if decoder.rest is not None:
                return stored, decoder.rest + b"".join(pieces[i + 1:])
    except StrayNewlineError:
        return None
    return stored, None


@given(ALPHABET, st.lists(st.integers(0, 60), max_size=6))
@example(b"\r\n.\r\r\n.\r\n", [1, 2, 3])
@example(b".\r\n", [])
@example(b"..\r\n.\r\nQUIT\r\n", [1])
def test_equals_the_slow_decoder(data: bytes, cuts: list[int]) -> None:
    """A1 to A9: whole, byte by byte, in any pieces, with what follows."""
    ends = sorted(min(cut, len(data)) for cut in cuts)
    pieces = [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]
    expected = slowly(data)

    for given_pieces in ([data], [data[i:i + 1] for i in range(len(data))], pieces):
        found = decode(given_pieces)
        if expected is None:
            # A stray newline may stand behind an end that is found first, never before it.
            assert found is None
        elif expected[1] is not None:
            assert found == expected
        else:
            assert found is not None
            assert found[1] is None
            # The end of a line that may begin the end is held back, a line without its end is not.
            assert found[0].startswith(expected[0]) or expected[0].startswith(found[0])


@given(ALPHABET)
def test_no_carriage_return_is_ever_stored(data: bytes) -> None:
    """A5: qmail-remote would make a line end of it."""
    found = decode([data])

    assert found is None or b"\r" not in found[0]


@given(st.lists(st.sampled_from([b"x", b"", b".", b"..", b".a", b"Received: y"])))
def test_what_a_client_has_stuffed_is_what_is_stored(lines: list[bytes]) -> None:
    wire = b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines) + b".\r\n"

    assert decode([wire]) == (b"".join(line + b"\n" for line in lines), b"")


@pytest.mark.parametrize(("header", "hops"), [
    (b"Received: x\nDelivered-To: y\nSubject: z\n\nReceived: not here\n", 2),
    (b"RECEIVED: x\nreceived: y\n", 2),
    (b"Subject: Received:\n received: folded\nX-Received: z\n\n", 0),
    (b"\nReceived: x\n", 0),
    (b"", 0)])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_hops(header: bytes, hops: int, size: int) -> None:
    counter = HopCounter()

    for i in range(0, len(header), size):
        counter.feed(header[i:i + size])

    assert counter.hops == hops


def test_a_body_counts_what_is_stored_and_gives_up_at_a_stray_newline() -> None:
    body = Body()

    stored = [body.feed(data) or b"" for data in (b"Received: x\r\n", b"\r\n..a\r\n.\r\nQUIT\r\n")]

    assert b"".join(stored) == b"Received: x\n\n.a\n"
    end = body.end()
    assert (end.size, end.hops, body.rest) == (16, 1, b"QUIT\r\n")
    assert Body().feed(b"a\nb\r\n") is None


def test_a_line_without_end_costs_no_memory() -> None:
    """A32."""
    counter = HopCounter()
    for _ in range(1000):
        counter.feed(b"x" * 65536)

    assert len(counter._line) == 9
