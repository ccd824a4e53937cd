"""Words as text: what is written is read back, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.told import TOLD_MAX, read, read_told, told

TAGS = st.sampled_from(["relay", "dul", "spf-fail", "zen.example", "my_list"])
FACTS = st.sampled_from(["load", "score", "draw:12", "draw:7"])
NUMBERS = st.integers(0, 10**18) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.builds(
    lambda tags, facts: {**tags, **facts}, st.dictionaries(TAGS, st.none() | st.booleans(), max_size=4),
    st.dictionaries(FACTS, st.none() | NUMBERS, max_size=4))


@given(VALUES, st.lists(VALUES, max_size=5))
def test_what_is_told_is_heard(
        session: dict[str, bool | float | None], recipients: list[dict[str, bool | float | None]]) -> None:
    """To the last digit: a number must not pass a limit of the rules on its way."""
    heard = read_told(told(session, recipients))

    assert heard.session == session
    assert heard.recipients == recipients


def test_the_same_again_is_short() -> None:
    """A thousand recipients, whose words are mostly the same."""
    text = told({"relay": False}, [{"valid": True}] * 3)

    assert text == b"!relay;valid;=;="
    heard = read_told(text).recipients
    assert heard[1] is heard[0]


def test_too_much_to_tell() -> None:
    """The kernel would not start the queue program: then what there is to say of the recipients is not said."""
    text = told({"relay": False}, [{"accepted": number, "vip": True} for number in range(20_000)])

    assert text == b"!relay"


def test_numbers_without_end_are_unknown() -> None:
    assert read_told(told({"rate": float("inf"), "load": float("nan")}, [])).session == {"rate": None, "load": None}


@pytest.mark.parametrize("text", [
    b",", b"dul,", b"!", b"?", b"!!dul", b":1", b"dul:", b"load:x", b"load:1_000", b"load: 1", b"load:1e999", b"load:--1",
    b"load:inf", b"load:nan", b"load:0x1", b"load:" + b"1" * 33, b"a b", b"d\xc3\xbcl", b"a\nb", b"dul,dul", b"dul,!dul",
    b"dul=1", b"load:1.2.3"])
def test_what_is_no_word(text: bytes) -> None:
    """A59: numbers with signs, underscores, words for infinity; bytes that are no word's; a word twice."""
    with pytest.raises(ValueError, match=r"."):
        read(text)
    with pytest.raises(ValueError, match=r"."):
        read_told(b"relay;" + text)


@pytest.mark.parametrize("text", [b"=", b"relay;=", b"relay;=;valid", b"relay;" + b"valid;" * TOLD_MAX])
def test_what_nobody_would_tell(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_told(text)


@given(st.binary(max_size=200) | st.text("ab,;:=!?.1e", max_size=40).map(str.encode))
def test_anything_is_read_or_refused(text: bytes) -> None:
    """What is read is written as it was, but for how a number is put."""
    try:
        heard = read_told(text)
    except ValueError:
        return
    again = read_told(told(heard.session, heard.recipients))

    assert (again.session, again.recipients) == (heard.session, heard.recipients)
