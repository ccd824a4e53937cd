"""Lines of many sessions, mixed: each session whole, and never more than so many under way."""

from hypothesis import given
from hypothesis import strategies as st

from tools.frontline.sessions import LINES_MAX, Sessions


def rcpt(identity: int) -> bytes:
    return b"rcpt id=%d.1 to=a@b code=250" % identity


def end(identity: int) -> bytes:
    return b"session id=%d.1 verdict=quit" % identity


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_each_session_gets_its_own_lines(events: list[tuple[int, bool]]) -> None:
    """An identity that comes back after its end is another session."""
    lines = [end(who) if ends else rcpt(who) for who, ends in events]
    open_lines: dict[int, int] = {}
    expected = []
    for who, ends in events:
        if ends:
            expected.append((end(who), [rcpt(who)] * open_lines.pop(who, 0)))
        else:
            open_lines[who] = open_lines.get(who, 0) + 1

    of = Sessions()

    assert [(session.last, session.lines) for session in of.of(lines)] == expected
    assert of.unfinished == len(open_lines)


def test_sessions_without_end_are_let_go() -> None:
    """The oldest first: their server was stopped, or a file is missing."""
    of = Sessions(most=3)
    lines = [rcpt(1), rcpt(2), rcpt(3), rcpt(4), end(1), end(4)]

    found = [(session.last, len(session.lines)) for session in of.of(lines)]

    assert found == [(end(1), 0), (end(4), 1)]
    assert of.unfinished == 3


def test_a_session_without_bounds_is_bounded() -> None:
    lines = [*[rcpt(1)] * (LINES_MAX + 100), end(1)]

    assert [len(session.lines) for session in Sessions().of(lines)] == [LINES_MAX]


def test_what_others_write_is_passed_over() -> None:
    """Lines of qqshim and holdq, and what a person wrote."""
    foreign = [b"message qp=7 uid=3 verdict=accept", b"hold id=1.1 hold=7", b"", b"rcpt", b"session ended", b"status: 1/40"]
    others = [b"message id=2.1 qp=7 code=250", b'log id=1.1 rule=3 text="session id=1.1"']
    lines = [*foreign, rcpt(1), b"message id=1.1 qp=7 code=250", *others, end(1)]

    assert [session.lines for session in Sessions().of(lines)] == [[rcpt(1), b"message id=1.1 qp=7 code=250"]]
