"""Texts of rules: placeholders are filled in once, and nothing that comes in a value leaves its place."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.text import PLACEHOLDERS, fill, fill_line
from tests.qsmtpd.rules import language

VALUES = {"ip": b"192.0.2.7", "helo": b"mail.example", "reason": b"listed"}


def test_placeholders() -> None:
    assert fill("{ip} says {helo}, {reason}{ip}.", VALUES) == [b"192.0.2.7 says mail.example, listed192.0.2.7."]


def test_what_has_no_value_is_empty() -> None:
    assert fill("<{rcpt}>", VALUES) == [b"<>"]


def test_escapes() -> None:
    assert fill('a \\"b\\"\\nc', VALUES) == [b'a "b"', b"c"]
    assert fill("\\n\\n", VALUES) == [b"", b"", b""]
    assert fill("", VALUES) == [b""]


def test_values_are_not_looked_at_again() -> None:
    """A45: neither placeholders nor escapes nor formats in what the client has sent."""
    values = {"sender": b'{helo}\\n%s%n{0}\\"', "helo": b"{sender}"}

    assert fill("{sender} {helo}", values) == [values["sender"] + b" {sender}"]


def test_values_end_no_line() -> None:
    """A44, A51: CR, LF, NUL, escape sequences, 8-bit: a question mark each."""
    assert fill("{reason}", {"reason": b"a\r\n250 ok\0\x1b[2J\xc3\xa9\x7f\t"}) == [b"a??250 ok??[2J????"]
    assert fill_line("X-A: {reason}", {"reason": b"a\r\nX-B: c"}) == b"X-A: a??X-B: c"


def test_values_are_cut() -> None:
    """A44: a name of 10 KB."""
    assert fill("<{helo}>", {"helo": b"x" * 10000}) == [b"<" + b"x" * 100 + b">"]


def test_a_header_field_is_one_line_of_limited_length() -> None:
    assert fill_line("X-A: " + "{helo}" * 100, {"helo": b"x" * 100}) == b"X-A: " + b"x" * 993
    assert fill_line("a\\nb", {}) == b"a b"


def test_a_tab_is_a_blank() -> None:
    assert fill("a\tb", {}) == [b"a b"]


@given(language.texts, st.dictionaries(st.sampled_from(PLACEHOLDERS), st.binary(max_size=120)))
def test_any_values(text: str, values: dict[str, bytes]) -> None:
    """As many lines as the postmaster wrote, of printable ASCII; what he wrote around the values stands as it was."""
    lines = fill(text, values)

    assert len(lines) == text.count("\\n") + 1
    assert all(0x20 <= byte < 0x7F for line in lines for byte in line)
    assert fill(text, {}) == fill(text, dict.fromkeys(values, b""))
    assert len(b"".join(lines)) <= len(text) + 100 * text.count("{")
