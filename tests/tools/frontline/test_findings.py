"""A finding is a line that editors and make understand."""

from qsmtpd.qmail.control import Control
from tools.frontline.findings import error, note, unreadable, warning


def test_a_place_as_far_as_it_is_known() -> None:
    assert str(error("a/b", "x; do y", 3, 7)) == "a/b:3:7: error: x; do y"
    assert str(warning("a/b", "x", 3)) == "a/b:3: warning: x"
    assert str(note("a/b", "x")) == "a/b: note: x"


def test_where_a_control_file_is_wrong() -> None:
    control = Control("/etc/x")

    whole = unreadable("/etc/x/me", control.error("me", "Is a directory"))
    part = unreadable("/etc/x/rules", control.error("rules", "line 3, column 7: expected a verb"))

    assert str(whole) == "/etc/x/me: error: Is a directory; what needs it is answered 4xx until it is mended"
    assert str(part).startswith("/etc/x/rules:3:7: error: expected a verb; ")
