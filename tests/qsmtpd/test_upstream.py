"""Replies of other servers: at once and byte by byte, one behind the other, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.upstream import LINE_MAX, LINES_MAX, Answer, ReplyReader, UpstreamError

TEXT = st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b""))
REPLIES = st.lists(st.tuples(st.integers(200, 599), st.lists(TEXT, min_size=1, max_size=4).map(tuple)), max_size=4)
PIECES = st.sampled_from([b"250", b" ", b"-", b"ok", b"\r\n", b"\n", b"\r", b"999", b"2", b"\0", b"250 ok\r\n", b"250-a\r\n"])


def wire(code: int, lines: tuple[bytes, ...], end: bytes = b"\r\n") -> bytes:
    *texts, last = lines
    return b"".join(b"%d-%b%b" % (code, text, end) for text in texts) + b"%d %b%b" % (code, last, end)


def replies(pieces: list[bytes]) -> tuple[list[tuple[int, tuple[bytes, ...]]], str | None]:
    """What is taken from the pieces, and the error at the end."""
    reader, taken = ReplyReader(), []
    try:
        for piece in pieces:
            reader.feed(piece)
            while answer := reader.take():
                taken.append((answer.code, answer.lines))
    except UpstreamError as error:
        return taken, str(error)
    return taken, None


def answer(data: bytes) -> Answer:
    reader = ReplyReader()
    reader.feed(data)
    taken = reader.take()
    assert taken is not None
    return taken


@given(REPLIES, st.sampled_from([b"\r\n", b"\n"]))
def test_what_was_sent_is_what_is_read(sent: list[tuple[int, tuple[bytes, ...]]], end: bytes) -> None:
    data = b"".join(wire(code, lines, end) for code, lines in sent)

    assert replies([data]) == (sent, None)
    assert replies([data[i:i + 1] for i in range(len(data))]) == (sent, None)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.integers(0, 60))
def test_where_it_is_split_does_not_matter(data: bytes, at: int) -> None:
    whole = replies([data])

    assert replies([data[:at], data[at:]]) == whole
    assert replies([data[i:i + 1] for i in range(len(data))]) == whole


@pytest.mark.parametrize("garbage", [
    b"HTTP/1.1 400 Bad Request\r\n", b"\r\n", b"25\r\n", b"250_ok\r\n", b"150 ok\r\n", b"650 ok\r\n", b" 250 ok\r\n",
    b"\xb2\xb3\xb4 ok\r\n", b"250-a\r\n550 b\r\n", b"\x16\x03\x01\n"])
def test_what_is_no_reply(garbage: bytes) -> None:
    assert replies([garbage])[1] is not None


def test_a_code_alone_is_a_reply() -> None:
    assert answer(b"250\r\n").lines == (b"",)


def test_a_line_without_end() -> None:
    """A101: ten megabytes for a reply; what is kept is bounded."""
    assert replies([b"250 " + b"x" * (LINE_MAX - 5)]) == ([], None)
    assert replies([b"250 " + b"x" * 4096])[1] == "a line without end"


def test_a_reply_without_end() -> None:
    assert replies([b"250-x\r\n" * LINES_MAX]) == ([], None)
    assert replies([b"250-x\r\n" * (LINES_MAX + 1)])[1] == "a reply without end"


def test_what_nobody_has_asked_for_is_seen() -> None:
    reader = ReplyReader()
    reader.feed(b"220 x\r\n250")

    assert reader.take() is not None
    assert reader.pending


@pytest.mark.parametrize(("data", "status"), [
    (b"550 5.1.1 no such user\r\n", (5, 1, 1)), (b"550 sorry, no mailbox here by that name. (#5.1.1)\r\n", (5, 1, 1)),
    (b"550 no\r\n", None), (b"550 4.1.1 no\r\n", None), (b"550 5.1.1.1 no\r\n", None), (b"550 5.1111.1\r\n", None),
    (b"550-5.1.1 no\r\n550 5.7.1 really\r\n", (5, 7, 1)), (b"250 2.1.5 ok\r\n", (2, 1, 5)), (b"550 (#5.1)\r\n", None),
    (b"550 127.0.0.1\r\n", None)])
def test_status(data: bytes, status: tuple[int, int, int] | None) -> None:
    assert answer(data).status() == status


@pytest.mark.parametrize(("code", "positive", "permanent"), [
    (250, True, False), (354, False, False), (450, False, False), (550, False, True)])
def test_kinds(code: int, positive: bool, permanent: bool) -> None:
    found = answer(b"%d x\r\n" % code)

    assert (found.positive, found.permanent) == (positive, permanent)
