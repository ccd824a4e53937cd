"""What a queue program's exit code and words come to, for the client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.qmail.outcome import from_exit_code, told

Reply = tuple[int, str, tuple[str, ...]]

NOTHING = (451, "4.3.0", ("qq temporary problem",))


def outcome(code: int, said: bytes = b"") -> Reply:
    found = from_exit_code(code, said)
    return found.code, found.status, found.lines


@pytest.mark.parametrize(("code", "reply"), [
    (0, (451, "4.3.0", ("qq read error",))),
    (1, NOTHING),
    (11, (554, "5.1.3", ("envelope address too long for qq",))),
    (31, (554, "5.3.0", ("mail server permanently rejected message",))),
    (40, (554, "5.3.0", ("qq permanent problem",))),
    (41, NOTHING),
    (53, (451, "4.3.0", ("qq write error or disk full",))),
    (82, NOTHING),
    (88, NOTHING),
])
def test_codes(code: int, reply: Reply) -> None:
    """A137, A140."""
    assert reply == outcome(code)


@pytest.mark.parametrize("code", [code for code in range(256) if code != 82])
def test_words_count_with_82_only(code: int) -> None:
    assert outcome(code) == outcome(code, b"D5.7.1 no")


@pytest.mark.parametrize(("said", "reply"), [
    (b"Dno such thing", (554, "5.3.0", ("no such thing",))),
    (b"Ztry later", (451, "4.3.0", ("try later",))),
    (b"Dvirus found (#5.7.1)", (554, "5.7.1", ("virus found",))),
    (b"Zgreylisted (#4.7.1)\n", (451, "4.7.1", ("greylisted",))),
    (b"Dvirus (#4.7.1)", (554, "5.3.0", ("virus (#4.7.1)",))),
    (b"Dvirus (#5.7)", (554, "5.3.0", ("virus (#5.7)",))),
    (b"Dvirus 5.7.1)", (554, "5.3.0", ("virus 5.7.1)",))),
    (b"Dfirst\nsecond\n", (554, "5.3.0", ("first",))),
    (b"Dtext\0", (554, "5.3.0", ("text",))),
    (b"Dab", (554, "5.3.0", ("ab",))),
])
def test_lettered_words(said: bytes, reply: Reply) -> None:
    assert reply == outcome(82, said)


@pytest.mark.parametrize(("said", "reply"), [
    (b"550 5.7.1 no", (550, "5.7.1", ("no",))),
    (b"450 4.7.1 later\r\n", (450, "4.7.1", ("later",))),
    (b"550 5.7.1 one\n550 5.7.1 two\n550 5.7.1 \n550 5.7.1 four\n", (550, "5.7.1", ("one", "two", "", "four"))),
    (b"552 5.3.4 too  large ", (552, "5.3.4", ("too  large ",))),
    (b"421 4.99.999 bye", (421, "4.99.999", ("bye",))),
])
def test_reply_lines(said: bytes, reply: Reply) -> None:
    assert reply == outcome(82, said)


@pytest.mark.parametrize("said", [
    b"", b"\n", b"\0", b"D", b"Z", b"DX", b"D\n", b"D\n\nmore", b"garbage", b"250 2.0.0 ok", b"354 go ahead", b"550 no status",
    b"550 5.7 x", b"550 5. x", b"550 5.7.1x y", b"550 5.7.1.2 y", b"550 5.1234.1 y", b"550 4.7.1 classes differ", b"550 5.7.1",
    b"550-5.7.1 x", b" 550 5.7.1 x", b"55 5.7.1 x", b"5500 5.7.1 x", b"\xb2\xb3\xb9 5.7.1 x",
    "\u0665\u0665\u0660 5.7.1 x".encode(),
    b"550 5.7.1 one\n551 5.7.1 two", b"550 5.7.1 one\n\n550 5.7.1 two", b"550 5.7.1 one\n250 ok",
])
def test_words_that_are_none(said: bytes) -> None:
    """A44: what is not of the form is as if nothing had been said."""
    assert outcome(82, said) == NOTHING


@pytest.mark.parametrize(("said", "lines"), [
    (b"Da\x1b[2J\x07b\x80\xff\0c\td", ("a?[2J?b????c?d".replace("????", "???"),)),
    (b"D\r\n250 ok", None),
    (b"Da\r250 ok", ("a?250 ok",)),
    (b"550 5.7.1 a\x0bb\x85c\xe2\x80\xa8d", ("a?b?c???d",)),
    (b"D" + b"x" * 4095, ("x" * 479,)),
    (b"550 5.7.1 " + b"y" * 1000 + b"\n550 5.7.1 z", ("y" * 470, "z")),
])
def test_hostile_words(said: bytes, lines: tuple[str, ...] | None) -> None:
    """A43, A44: a scanner quotes the mail; each line is printable ASCII, and of bounded length."""
    assert outcome(82, said)[2] == (lines or NOTHING[2])


def test_words_that_are_cut_within_a_line() -> None:
    """The whole lines count; one line without an end counts as far as it goes."""
    assert outcome(82, b"550 5.7.1 one\n" * 1000) == (550, "5.7.1", ("one",) * (4096 // 14))
    assert outcome(82, b"Z" + b"x" * 5000) == (451, "4.3.0", ("x" * 479,))


@given(st.integers(0, 255), st.binary(max_size=200) | st.builds(lambda head, text: head + text, st.sampled_from(
    [b"D", b"Z", b"550 5.7.1 ", b"450 4.0.0 "]), st.binary(max_size=600)))
def test_always_a_refusal_that_can_be_sent(code: int, said: bytes) -> None:
    """A44, A140: no words and no code come to 2xx, to a bare line end or to a class that differs from the status."""
    number, status, lines = outcome(code, said)

    assert 400 <= number <= 599
    assert status[0] == str(number)[0]
    assert lines
    assert all(line.isascii() and (line.isprintable() or not line) for line in lines)
    assert all(len(f"{number}-{status} {line}\r\n") <= 510 for line in lines)


@pytest.mark.parametrize(("said", "score", "rest"), [
    (b"score=7.5\n", 7.5, b""), (b"score=-1.0\n550 5.7.1 no", -1.0, b"550 5.7.1 no"), (b"score=12", 12.0, b""),
    (b"550 5.7.1 score=5", None, b"550 5.7.1 score=5"), (b"", None, b""), (b"score=nan\nDno", None, b"Dno"),
    (b"score=1e9\n", None, b""), (b"score=\n", None, b""), (b"score=" + b"9" * 400 + b"\nx", None, b"x")])
def test_a_score_stands_before_the_words(said: bytes, score: float | None, rest: bytes) -> None:
    """A87: what is no score is none, and the words behind it count all the same."""
    assert told(said) == (score, rest)


@given(st.binary(max_size=60))
def test_any_words_have_a_score_or_none(words: bytes) -> None:
    score, rest = told(b"score=" + words)

    assert score is None or -1e30 < score < 1e30
    assert rest == words.partition(b"\n")[2]
