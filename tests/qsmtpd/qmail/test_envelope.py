"""Envelopes: built and read in pieces of any size, with qmail-queue's limits and its exit codes."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.qmail.envelope import ADDRESS_MAX, EnvelopeError, EnvelopeReader, build

ADDRESS = st.binary(max_size=60).map(lambda text: text.replace(b"\0", b""))
CUTS = st.lists(st.integers(0, 400), max_size=20)

Result = tuple[object, ...]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def read(chunks: list[bytes]) -> Result:
    """What a reader makes of the pieces and the end of the file: the envelope, or the exit code."""
    reader = EnvelopeReader()
    recipients: list[bytes] = []
    try:
        for chunk in chunks:
            recipients += reader.feed(chunk)
        reader.finish()
    except EnvelopeError as error:
        return (error.exit_code,)
    assert reader.complete
    return reader.sender, recipients, reader.first, reader.count


def each_way(data: bytes) -> Result:
    """Read whole, byte by byte, and with each one cut; the result must not depend on it."""
    whole = read([data])
    assert whole == read([bytes([byte]) for byte in data])
    for cut in range(len(data)) if len(data) < 100 else (1, 2, ADDRESS_MAX, ADDRESS_MAX + 1, ADDRESS_MAX + 2, len(data) - 1):
        assert whole == read([data[:cut], data[cut:]])
    return whole


@given(ADDRESS, st.lists(ADDRESS, min_size=1, max_size=8), CUTS)
def test_what_is_built_is_read(sender: bytes, recipients: list[bytes], cuts: list[int]) -> None:
    data = build(sender, recipients)

    assert read(pieces(data, cuts)) == (sender, recipients, recipients[0], len(recipients))


@given(st.binary(max_size=80).map(lambda text: text.replace(b"a", b"\0").replace(b"b", b"F").replace(b"c", b"T")), CUTS)
def test_any_cutting_gives_the_same(data: bytes, cuts: list[int]) -> None:
    assert read([data]) == read(pieces(data, cuts))


@given(st.lists(st.sampled_from([b"F", b"T", b"\0", b"X", b"a@b", b"x" * 600]), max_size=12).map(b"".join), CUTS)
def test_any_cutting_gives_the_same_near_the_grammar(data: bytes, cuts: list[int]) -> None:
    assert read([data]) == read(pieces(data, cuts))


def test_null_sender_and_double_bounce() -> None:
    assert each_way(b"F\0Ta@b\0\0") == (b"", [b"a@b"], b"a@b", 1)
    assert each_way(b"F#@[]\0Ta@b\0Tc@d\0\0") == (b"#@[]", [b"a@b", b"c@d"], b"a@b", 2)


@pytest.mark.parametrize("data", [
    b"", b"F", b"Fa@b", b"Fa@b\0", b"Fa@b\0T", b"Fa@b\0Tc@d", b"Fa@b\0Tc@d\0", b"Fa@b\0Tc@d\0Te@f\0"])
def test_no_final_nul_is_a_caller_that_gave_up(data: bytes) -> None:
    """A10, A52: the parent died, or said so."""
    assert each_way(data) == (54,)


@pytest.mark.parametrize("data", [
    b"\0", b"X", b"Xa@b\0", b"Ta@b\0Tc@d\0\0", b"Fa@b\0X", b"Fa@b\0Xc@d\0\0", b"Fa@b\0Fc@d\0\0", b"fa@b\0Tc@d\0\0"])
def test_another_record(data: bytes) -> None:
    """A52."""
    assert each_way(data) == (91,)


def test_no_recipient() -> None:
    """A52."""
    assert each_way(b"Fa@b\0\0") == (91,)


def test_what_follows_the_end_is_ignored() -> None:
    """A50: no second envelope stands behind the first, whatever its size and shape."""
    for more in (b"x", b"\0", b"Te@f\0\0", b"Fe@f\0Tg@h\0\0", b"T" + b"x" * 5000):
        assert each_way(b"Fa@b\0Tc@d\0\0" + more) == (b"a@b", [b"c@d"], b"c@d", 1)


def test_the_longest_address() -> None:
    """A52: qmail-queue.c takes 1002 bytes and a NUL."""
    longest = b"x" * ADDRESS_MAX

    assert len(longest) == 1002
    assert each_way(build(longest, [b"a@b"])) == (longest, [b"a@b"], b"a@b", 1)
    assert each_way(build(b"a@b", [longest, b"c@d"])) == (b"a@b", [longest, b"c@d"], longest, 2)


@pytest.mark.parametrize("length", [1003, 1004, 5000])
def test_an_address_too_long(length: int) -> None:
    """A52, A56: as soon as byte 1003 is there, NUL or no NUL."""
    assert each_way(b"F" + b"x" * length) == (11,)
    assert each_way(b"F" + b"x" * length + b"\0Ta@b\0\0") == (11,)
    assert each_way(b"Fa@b\0T" + b"x" * length) == (11,)
    with pytest.raises(EnvelopeError) as caught:
        build(b"a@b", [b"c@d", b"x" * length])
    assert caught.value.exit_code == 11


@pytest.mark.parametrize(("sender", "recipient"), [(b"a@remote.example\0Tx@elsewhere.test", b"c@d"), (b"", b"c\0")])
def test_nul_begins_no_record(sender: bytes, recipient: bytes) -> None:
    """A50."""
    with pytest.raises(EnvelopeError, match="NUL") as caught:
        build(sender, [recipient])
    assert caught.value.exit_code == 91


def test_addresses_are_taken_as_they_are() -> None:
    """A51, A53: refusing controls is the session's part; here nothing is lost, split or rewritten."""
    odd = [b"a\rX-Pwned: 1@r", b"a\nb@r", b";touch /tmp/x;", b"\x80\xff", b"F", b"T"]

    assert each_way(build(b"a@b", odd)) == (b"a@b", odd, odd[0], len(odd))


def test_a_million_recipients_in_flat_memory() -> None:
    """A31, A52."""
    chunk = b"".join(b"Tuser%d@example.org\0" % number for number in range(1000))
    reader = EnvelopeReader()
    reader.feed(b"Fa@b\0")
    reader.feed(chunk)
    tracemalloc.start()
    for _ in range(999):
        reader.feed(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.feed(b"\0")
    reader.finish()

    assert reader.count == 1_000_000
    assert reader.first == b"user0@example.org"
    assert peak < 500_000
