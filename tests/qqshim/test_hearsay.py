"""What a session says: understood, or not used at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.hearsay import Hearsay, fitting
from qsmtpd.rules.site import parse_tags, vocabulary
from qsmtpd.rules.told import told
from qsmtpd.rules.vocabulary import RCPT

WORDS = vocabulary(parse_tags(b"vip env VIP\nlist rcpt list\n"))


def test_the_words_of_each() -> None:
    heard = Hearsay(b"!relay,load:0.5,draw:3:37.5;list,accepted:0;!list,accepted:1", WORDS)

    assert heard.complaint is None
    assert heard.session == {"relay": False, "load": 0.5, "draw:3": 37.5}
    assert heard.of_recipients(2, b"b@x", None) == [{"list": True, "accepted": 0}, {"list": False, "accepted": 1}]


@pytest.mark.parametrize("text", [b"relay", b"relay;list", b"relay;list;=;=", b"relay;list;list"])
def test_one_for_all(text: bytes) -> None:
    assert len(Hearsay(text, WORDS).of_recipients(3, b"c@x", None)) == 1


@pytest.mark.parametrize(("count", "last", "quarantine"), [(2, b"b@x", None), (3, b"aside@x", b"aside@x"), (4, b"d@x", None)])
def test_an_envelope_that_is_another(count: int, last: bytes, quarantine: bytes | None) -> None:
    """Recipients were put aside since: nobody's words are taken for another's; what is so of all of them stays."""
    heard = Hearsay(b"relay;list,valid,accepted:0;!list,valid,accepted:1;list,valid", WORDS)

    assert heard.of_recipients(count, last, quarantine) == [{"valid": True}]


@pytest.mark.parametrize("words", [
    {"nobody": True}, {"relay": 1.0}, {"load": True}, {"virus": False}, {"score": 0.1}, {"size": 1}, {"no-date": False},
    {"draw:3": True}])
def test_words_that_are_none_of_the_sessions(words: dict[str, bool | float | None]) -> None:
    """What the message shows we see ourselves; a word of another kind would not mean anything."""
    assert fitting(words, WORDS) == {}


@given(st.binary(max_size=60) | st.text("relayvip,;:=!?.1", max_size=40).map(str.encode))
def test_garbage(text: bytes) -> None:
    """A41: whatever it is, what is used are words of the rules, each with a value of its kind."""
    heard = Hearsay(text, WORDS)

    for words in (heard.session, *heard.of_recipients(1, b"a@x", None)):
        for name, value in words.items():
            term = WORDS.get(name)
            assert term is None or term.stage <= RCPT
            assert value is None or isinstance(value, bool) == (term is not None and term.kind != "fact")
    assert heard.complaint is None or not heard.session


def test_a_complaint_is_printable() -> None:
    complaint = Hearsay(b"\xff;", WORDS).complaint

    assert complaint is not None
    assert complaint.decode("ascii").isprintable()


def test_many_recipients() -> None:
    """A35: a hundred thousand bytes of them are read in no time, once each."""
    text = told({}, [{"accepted": number} for number in range(5000)])
    heard = Hearsay(text, WORDS).of_recipients(5000, b"x@y", None)

    assert [words["accepted"] for words in heard] == list(range(5000))
