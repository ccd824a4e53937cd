"""A message that goes by: its header is kept, fields are left out, and no byte of the rest is touched."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.headersection import HEADER_MAX, FieldFilter, HeaderSection

LINES = st.lists(st.sampled_from([
    b"X-Ours: 1\n", b"x-ours : forged\n", b" folded\n", b"\ttoo\n", b"Subject: x\n", b"X-Ours-Not: 2\n", b"no field\n", b":\n",
    b"X-Ours\n", b"\n", b"X-Ours: in the body\n", b"no end"]), max_size=12)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[i:j] for i, j in zip([0, *at], [*at, len(data)], strict=True)]


@given(LINES, st.lists(st.integers(0, 10**6), max_size=20))
def test_the_header_and_the_rest_are_the_message(lines: list[bytes], cuts: list[int]) -> None:
    """Wherever it is cut."""
    message = b"".join(lines)
    section = HeaderSection()
    pieces = split(message, cuts)
    while pieces:
        if section.feed(pieces.pop(0)):
            break
    else:
        section.finish()

    assert section.text + section.rest + b"".join(pieces) == message
    end = 1 if message.startswith(b"\n") else message.find(b"\n\n") + 2
    assert section.text == (message[:end] if end > 1 or message.startswith(b"\n") else message)


def test_a_header_without_end_is_kept_in_part() -> None:
    """A32."""
    section = HeaderSection()

    assert section.feed(b"x" * (HEADER_MAX + 5))
    assert (len(section.text), section.rest) == (HEADER_MAX, b"xxxxx")


def plain(message: bytes, name: bytes) -> bytes:
    """What the filter has to leave, said line by line."""
    kept, dropping, in_header = [], False, True
    for line in message.split(b"\n"):
        if in_header and line[:1] not in (b" ", b"\t"):
            in_header = line != b""
            dropping = in_header and b":" in line and line.partition(b":")[0].rstrip(b" \t").lower() == name
        if not (in_header and dropping):
            kept.append(line)
    return b"\n".join(kept)


@given(LINES, st.lists(st.integers(0, 10**6), max_size=20))
def test_the_filter_leaves_fields_out_wherever_the_message_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    message = b"".join(lines) + b"end\n"
    fields = FieldFilter([b"X-Ours"])

    assert b"".join([fields.feed(piece) for piece in split(message, cuts)]) + fields.finish() == plain(message, b"x-ours")


def test_a_line_without_end_is_not_collected() -> None:
    fields = FieldFilter([b"X-Ours"])

    assert fields.feed(b"X-O") == b""
    assert fields.feed(b"x" * 100) == b"X-O" + b"x" * 100
    assert fields.feed(b"y" * 100) == b"y" * 100


def test_a_dropped_line_may_be_long() -> None:
    fields = FieldFilter([b"X-Ours"])

    pieces = (b"X-Ours: ", b"z" * 10**6, b"z\n and on\nSub", b"ject: x\n\n", b"X-Ours: body\n")
    passed = [fields.feed(piece) for piece in pieces]

    assert b"".join(passed) + fields.finish() == b"Subject: x\n\nX-Ours: body\n"


def test_no_names_nothing_changes() -> None:
    assert FieldFilter(()).feed(b"X: 1\n") == b"X: 1\n"
