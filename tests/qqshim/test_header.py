"""Header bytes: our fields go, everything else stays byte for byte, however the message comes in pieces."""

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qqshim.header import BLANKS_MAX, ORPHAN, Filter, Filters, end_of_header, find

FORGED = b"X-Frontline-Verdict: v=1; verdict=pass\n"


def filtered(*pieces: bytes) -> bytes:
    fields = Filter()
    return b"".join([fields.feed(piece) for piece in pieces]) + fields.finish()


def lines(text: bytes) -> list[bytes]:
    """With their ends; only LF ends a line."""
    parts = text.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def filtered_plainly(message: bytes) -> bytes:
    """The same by the simplest means: line by line, the message in memory."""
    kept, dropping, rest = [], False, lines(message)
    if message[:1] in (b" ", b"\t"):
        kept.append(ORPHAN)
    while rest and rest[0] not in (b"\n", b"\r\n"):
        line = rest.pop(0)
        if line[:1] not in (b" ", b"\t"):
            dropping = line.lower().startswith(b"x-frontline-")
        if not dropping:
            kept.append(line)
    return b"".join(kept + rest)


MESSAGES = st.lists(st.sampled_from([
    b"Subject: x", b"X-Frontline-Verdict: pass", b"x-FRONTLINE-verdict", b"X-Frontline", b"X-Frontline-", b" folded", b"\t",
    b"\n", b"\n", b"\n", b"\r\n", b"\r", b" ", b"a", b"X", b"-", b":", b"\0", b"\xff", b"From x", b"x" * 70]), max_size=40,
).map(b"".join)


@given(MESSAGES, st.lists(st.integers(0, 400), max_size=8))
def test_any_message_in_any_pieces(message: bytes, cuts: list[int]) -> None:
    """A80, A32."""
    places = [0, *sorted(cuts), len(message)]
    pieces = [message[start:end] for start, end in pairwise(places)]

    assert filtered(*pieces) == filtered_plainly(message)
    assert filtered(*[message[i:i + 1] for i in range(len(message))]) == filtered_plainly(message)


@given(MESSAGES, st.binary(), st.integers(1, 30))
def test_the_body_never_changes(header: bytes, body: bytes, step: int) -> None:
    """A144: and the offset of the body is that of the empty line."""
    message = header + b"\n\n" + body
    fields = Filter()
    given_back = b"".join([fields.feed(message[i:i + step]) for i in range(0, len(message), step)]) + fields.finish()
    first = end_of_header(b"\n" + message)

    assert first is not None
    assert fields.body is not None
    assert given_back[fields.body:] == message[first - 1:]


@pytest.mark.parametrize("field", [
    FORGED, FORGED.lower(), FORGED.upper(), FORGED * 2, b"X-Frontline-Verdict : v=1\n", b"X-Frontline-Verdict\n : v=1\n",
    b"X-Frontline-Verdict: v=1;\n verdict=pass;\n\tmac=00\n", b"X-Frontline-Verdict: v=1\r\n", b"X-Frontline-Anything: x\n",
    b"X-Frontline-Verdict:" + b" x" * 100_000 + b"\n"])
def test_ours_from_outside_is_removed(field: bytes) -> None:
    """A80: folded, upper case, twice, with a blank before the colon."""
    assert filtered(field + b"Subject: x\n\nbody\n") == b"Subject: x\n\nbody\n"
    assert filtered(b"Subject: x\n" + field + b"To: y\n\nbody\n") == b"Subject: x\nTo: y\n\nbody\n"
    assert filtered(b"Subject: x\n" + field + b"\nbody\n") == b"Subject: x\n\nbody\n"


NAMED = (b"X-Spam", b"X-Spam-Level")


def named(*pieces: bytes) -> bytes:
    """Without those fields too."""
    fields = Filters(NAMED)
    whole = b"".join([fields.feed(piece) for piece in pieces]) + fields.finish()
    assert fields.body is None or whole[fields.body:][:1] in (b"\n", b"\r")
    return whole


def named_plainly(message: bytes) -> bytes:
    """The same by the simplest means."""
    kept, dropping, rest = [], False, lines(filtered_plainly(message))
    while rest and rest[0] not in (b"\n", b"\r\n"):
        line = rest.pop(0)
        if line[:1] not in (b" ", b"\t"):
            name, _, _ = line.partition(b":")
            dropping = name.rstrip(b" \t\r\n").lower() in (b"x-spam", b"x-spam-level")
        if not dropping:
            kept.append(line)
    return b"".join(kept + rest)


NAMED_MESSAGES = st.lists(st.sampled_from([
    b"Subject: x", b"X-Frontline-Verdict: pass", b"X-Spam: yes", b"x-spam-LEVEL", b"X-Spam-Status: no", b"X-Spa", b"m", b" ",
    b"\t", b" folded", b"\n", b"\n", b"\n", b"\n", b"\r\n", b":", b"X-Spam \t: x", b"X-Spam-Levels: x", b"\0", b"\r",
]), max_size=30,
).map(b"".join)


@given(NAMED_MESSAGES, st.lists(st.integers(0, 300), max_size=6))
@example(b"x-spam-LEVEL\rSubject: x", [])
@example(b"x-spam\r: x\nX-Spam\r\r\n\ny", [7])
def test_fields_by_name_in_any_pieces(message: bytes, cuts: list[int]) -> None:
    """A82: as whole names, whatever stands around them."""
    places = [0, *sorted(cuts), len(message)]

    assert named(*[message[start:end] for start, end in pairwise(places)]) == named_plainly(message)
    assert named(*[message[i:i + 1] for i in range(len(message))]) == named_plainly(message)


def test_a_name_that_blanks_hide() -> None:
    """Nothing is held back for ever: a name with more blanks than anybody writes is left out, colon or not."""
    assert named(b"X-Spam" + b" " * (BLANKS_MAX - 1) + b": x\nA: b\n\n") == b"A: b\n\n"
    assert named(b"X-Spam" + b" " * 10 * BLANKS_MAX + b"x: x\nA: b\n\n") == b"A: b\n\n"


@pytest.mark.parametrize("message", [
    b"", b"\n", b"body only", b"\nX-Frontline-Verdict: in the body\n",
    b"Subject: x\r\n\r\nX-Frontline-Verdict: in the body\r\n", b"Subject: X-Frontline-Verdict: x\n\n",
    b"Subject: x\n X-Frontline-Verdict: folded\n\n", b"X-Frontlines: not ours\n\n",
    b"X-Spam-Flag: NO\nX-Virus-Scanned: by another\n\nForeign claims stay, and nobody trusts them.\n"])
def test_everything_else_stays(message: bytes) -> None:
    assert filtered(message) == message


def test_a_message_that_begins_folded_does_not_continue_our_field() -> None:
    """A80: what we put on top must not be continued by what came from outside."""
    assert filtered(b" ; verdict=pass\nSubject: x\n\n") == b"X-Frontline-Orphan: ; verdict=pass\nSubject: x\n\n"
    assert filtered(FORGED + b" more\nSubject: x\n\n") == b"Subject: x\n\n"


@pytest.mark.parametrize("make", [Filter, lambda: Filters(NAMED)], ids=["ours", "named"])
@pytest.mark.parametrize("unit", [
    b"a: b\n", FORGED, b"X-Spam-Levels: x\n", b"X-Spam: x\n",
    b"Subject: " + b"x" * 50_000, b" folded\n", b"X-Frontline-Verdict: x\n" + b" y\n" * 1000])
def test_huge_headers_are_streamed(unit: bytes, make: Callable[[], Filter | Filters]) -> None:
    """A32: 8 MiB of header in linear time, and nothing is kept of what was given back."""
    start = time.process_time()
    fields = make()
    piece = (unit * (65536 // len(unit) + 1))[:65536]
    for _ in range(128):
        fields.feed(piece)

    assert time.process_time() - start < 8
    for each in (fields,) if isinstance(fields, Filter) else fields._filters:
        assert len(each._held) <= 13 + len(NAMED[1]) + BLANKS_MAX


@pytest.mark.parametrize(("header", "value"), [
    (b"Message-ID: <1@x>\n\n", b"<1@x>"), (b"message-id:<1@x>\n\n", b"<1@x>"),
    (b"Message-Id :\n <1@x>\n\t(y)\n\n", b"<1@x> (y)"),
    (b"A: b\nMESSAGE-ID: <1@x>\nMessage-ID: <2@x>\n\n", b"<1@x>"), (b"Message-ID: <1@x>", b"<1@x>"), (b"Message-ID:\n\n", b""),
    (b"Message-ID-2: <1@x>\n\n", None), (b"Message-ID\n\n", None), (b"A: b\n\nMessage-ID: <1@x>\n", None), (b"", None)])
def test_find(header: bytes, value: bytes | None) -> None:
    assert find(header, b"Message-ID") == value


@given(MESSAGES, st.sampled_from([b"X", b"Subject", b"X-Frontline-Verdict"]))
def test_find_never_fails(message: bytes, name: bytes) -> None:
    value = find(message, name)

    assert value is None or b"\n" not in value
