"""The lines of a session."""

from collections.abc import Iterable

from qsmtpd.drivers.journal import LINES_MAX, Journal

Line = tuple[str, Iterable[tuple[str, bytes | int | None]]]


def test_lines_wait_for_each_other_and_have_the_sessions_identity() -> None:
    written: list[list[Line]] = []
    journal = Journal("7.8", lambda lines: written.append(list(lines)))
    journal.note_lookup(b"rdns: no answer")
    journal.note_rule(3, b"text")
    assert written == []

    journal.write()

    assert written == [[
        ("lookup", [("id", "7.8"), ("why", b"rdns: no answer")]), ("log", [("id", "7.8"), ("rule", 3), ("text", b"text")])]]


def test_not_too_many_wait() -> None:
    """A39."""
    written: list[int] = []
    journal = Journal(b"1", lambda lines: written.append(len(lines)))
    for _ in range(2 * LINES_MAX + 1):
        journal.note("rcpt", [])
    journal.write()

    assert written == [LINES_MAX, LINES_MAX, 1]
