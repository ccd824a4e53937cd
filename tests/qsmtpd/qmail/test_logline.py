"""Log lines: what is written is what is read, whatever a client puts into it."""

import contextlib
import os
import posix

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.qmail import logline
from qsmtpd.qmail.logline import LINE_MAX, VALUE_MAX, format_line, parse, quote, write, write_all

KEYS = st.from_regex(r"[a-z][a-z-]{0,11}", fullmatch=True)


@given(st.dictionaries(KEYS, st.binary(max_size=80), max_size=8))
def test_what_is_written_is_read(pairs: dict[str, bytes]) -> None:
    """A42, A43, A45: any bytes."""
    line = format_line("session", pairs.items())

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert parse(line) == ("session", pairs)
    assert parse(line[:-1]) == ("session", pairs)


def test_every_byte() -> None:
    for byte in range(256):
        value = bytes([byte])
        assert parse(format_line("x", [("a", value), ("b", b"end")])) == ("x", {"a": value, "b": b"end"})


@pytest.mark.parametrize(("value", "text"), [
    (b"plain@example.org", "plain@example.org"),
    (b"", '""'),
    (b"two words", '"two words"'),
    (b"a=b", '"a=b"'),
    (b'say "hi"', r'"say \"hi\""'),
    (b"back\\slash", r'"back\\slash"'),
    (b"\r\n\x0b\x0c\x1c\x1d\x1e\x85", r'"\x0d\x0a\x0b\x0c\x1c\x1d\x1e\x85"'),
    (b"\x1b]0;pwn\x07\x9b31m\x08", r'"\x1b]0;pwn\x07\x9b31m\x08"'),
    ("\u2028\u202e".encode(), r'"\xe2\x80\xa8\xe2\x80\xae"'),
    (b"%s%n%(x)s{0}", "%s%n%(x)s{0}"),
])
def test_quoting(value: bytes, text: str) -> None:
    """A42, A43, A45."""
    assert text == quote(value)
    assert parse(f"x key={text}".encode()) == ("x", {"key": value})


def test_a_value_makes_no_pair() -> None:
    """A42: keys are found by the position of the quotes."""
    for value in (b"a ip=198.51.100.9 verdict=bad", b'a" ip=198.51.100.9 x="', b'\\" ip=198.51.100.9'):
        assert parse(format_line("session", [("from", value), ("ip", b"192.0.2.1")])) == (
            "session", {"from": value, "ip": b"192.0.2.1"})


def test_numbers_and_none() -> None:
    assert format_line("message", [("qp", 4711), ("from", None), ("size", 0)]) == b"message qp=4711 size=0\n"


def test_no_pairs() -> None:
    assert format_line("start", []) == b"start\n"
    assert parse(b"start\n") == ("start", {})


@given(st.lists(st.tuples(KEYS, st.binary(min_size=500, max_size=3000) | st.just(b"\xff" * 3000)), max_size=12))
def test_never_longer_than_a_pipe_takes_whole(pairs: list[tuple[str, bytes]]) -> None:
    line = format_line("session", pairs)

    assert len(line) <= LINE_MAX
    assert line.endswith(b"\n")
    event, found = parse(line)
    assert event == "session"
    assert all(len(value) <= VALUE_MAX for value in found.values())


def test_the_line_may_be_exactly_full() -> None:
    pairs = [("a", b"x" * 1000), ("b", b"x" * 1000), ("c", b"x" * 1000), ("d", b"x" * 1000)]
    room = LINE_MAX - len(format_line("e", pairs)) - len(" f=")

    assert len(format_line("e", [*pairs, ("f", b"y" * room)])) == LINE_MAX
    assert format_line("e", [*pairs, ("f", b"y" * (room + 1)), ("g", b"")]) == format_line("e", [*pairs, ("g", b"")])


@pytest.mark.parametrize("line", [
    b"", b"\n", b" a=b", b'"x" a=b', b"x a", b"x a=", b"x =b", b"x a=b c", b"x  a=b", b'x a="b', b'x a="b"c=d', b'x a=b"',
    rb'x a="\x"', rb'x a="\x4"', rb'x a="\x4', rb'x a="\x', rb'x a="\xzz"', rb'x a="\x+f"', rb'x a="\x f"', rb'x a="\x1_"',
    rb'x a="\xFF"', 'x a="\\x٣٣"'.encode(), b'x a="\\', rb'x a="\n"', b'x a="\x1b"', b'x a="\xff"', b"x a=\xff",
    b"x\x1b a=b", b"x a=b\nx c=d", b'x a="b\nc"', b"\xff=\xff",
])
def test_no_line_of_ours(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(line)


@given(st.binary(max_size=60) | st.text('ax= "\\xf0', max_size=40).map(lambda text: b'e a="' + text.encode()))
def test_reading_raises_nothing_else(line: bytes) -> None:
    """A line that is read is written the same, so that nobody can hide one meaning in two forms."""
    try:
        event, pairs = parse(line)
    except ValueError:
        return
    assert parse(format_line(event, pairs.items())) == (event, pairs)


def test_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, bytes]] = []

    def record(fd: int, data: bytes) -> int:
        calls.append((fd, data))
        return len(data)

    monkeypatch.setattr(posix, "write", record)
    write("start", [("pid", 7)])

    assert calls == [(2, b"start pid=7\n")]


@given(st.lists(st.binary(max_size=3000), min_size=3, max_size=3))
def test_what_a_client_calls_himself_hides_no_figure(names: list[bytes]) -> None:
    """A42: three values of his, of any length and bytes, and every other pair is there."""
    figures = [("code", 550), ("rcpt", 20), ("bad", 20), ("in", 10**9)]
    pairs = [("id", b"1.1"), *zip(("ptr", "helo", "from"), names, strict=True), *figures]

    assert {"code", "rcpt", "bad", "in"} <= parse(format_line("session", pairs))[1].keys()


def test_a_log_that_stands_still_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    monkeypatch.setattr(logline, "PATIENCE_MS", 10)
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, bytes(4096))
    os.set_blocking(write_end, True)

    write("session", [("id", b"1.1")], write_end)

    os.close(write_end)
    with open(read_end, "rb") as lost:
        assert b"session" not in lost.read()


def test_several_lines_in_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call holds whole lines, and no more than a pipe takes at once."""
    calls: list[bytes] = []
    monkeypatch.setattr(posix, "write", lambda _, data: calls.append(data))
    lines = [("rcpt", [("id", b"%d" % number), ("to", b"x" * (number % 900))]) for number in range(100)]

    write_all(lines)

    assert b"".join(calls) == b"".join(format_line(*line) for line in lines)
    assert all(call.endswith(b"\n") and len(call) <= LINE_MAX for call in calls)
    assert len(calls) < 20


def test_a_log_that_is_closed_stops_nothing() -> None:
    """A137."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    write("start", [], write_end)
    os.close(write_end)
    write("start", [], write_end)


def test_a_log_that_is_full_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: no room on the disk; a pipe whose reader sleeps."""
    monkeypatch.setattr(logline, "PATIENCE_MS", 0)
    with open("/dev/full", "wb", buffering=0) as full:
        write("start", [], full.fileno())
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for _ in range(2000):
        write("start", [("value", b"x" * 100)], write_end)
    os.close(write_end)
    with open(read_end, "rb") as kept:
        assert set(kept.read().split(b"\n")) == {format_line("start", [("value", b"x" * 100)])[:-1], b""}
