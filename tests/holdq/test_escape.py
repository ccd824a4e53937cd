"""What a terminal gets to see."""

from hypothesis import given
from hypothesis import strategies as st

from holdq.escape import escape, escape_lines


@given(st.binary())
def test_printable_ascii_only(value: bytes) -> None:
    """A43: no escape sequence, no 8-bit control, no bidi, no newline."""
    shown = escape(value)

    assert all(" " <= character <= "~" for character in shown)
    assert shown.encode().decode("unicode_escape").encode("latin-1") == value


def test_lines_and_tabs_stay() -> None:
    assert escape_lines(b"a\tb\nc\r\n\x1b]0;x\x07\n") == "a\tb\nc\\x0d\n\\x1b]0;x\\x07\n"
