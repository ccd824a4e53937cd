"""The session as a machine: any verbs in any state, any bytes in any pieces, and what it may never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd import replies
from qsmtpd.dotstuff import EndOfData
from qsmtpd.events import BEGIN_DATA, BEGIN_MAIL, CLOSED, NEED_DATA, RCPT, Signal
from qsmtpd.replies import OfSite, Reply
from qsmtpd.session import AFTER_ACCEPTED, AFTER_REFUSED, DISCARD_MAX, TALK_MAX, Session
from tests.transcript import codes

SITE = OfSite(b"mx", 0)
VERBS = [
    b"HELO x\r\n", b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n", b"RSET\r\n", b"NOOP\r\n",
    b"VRFY x\r\n", b"HELP\r\n", b"QUIT\r\n", b"FOO\r\n", b"MAIL\r\n", b"RCPT TO:<>\r\n", b"\r\n", b"text\r\n", b"..\r\n",
    b".\r\n", b"x\n", b"a\rb\r\n"]
ACCEPT = {
    b"connect": SITE.greeting, b"helo": SITE.hello, b"mail": replies.MAIL_OK, b"rcpt": replies.RCPT_OK,
    b"data": replies.GO_AHEAD, b"message": replies.queued(0, 1)}


class Model:
    """A driver in which every answer to an event is chosen, and the rules of a transaction are watched."""

    def __init__(self, accepts: "list[bool] | None" = None, databytes: int = 0) -> None:
        self.session = Session(SITE.goodbye, databytes, 0)
        self.accepts = accepts or []
        self.answer = b""
        self.messages: list[bytes] = []
        self._message = b""
        self._sender = False
        self._recipients = 0

    def feed(self, *said: bytes) -> None:
        waiting = list(said)
        while True:
            event = self.session.next_event()
            if event is NEED_DATA:
                self.answer += self.session.data_to_send()
                if not waiting:
                    return
                self.session.receive_data(waiting.pop(0))
            elif event is CLOSED:
                self.answer += self.session.data_to_send()
                return
            elif isinstance(event, bytes):
                self._message += event
            else:
                self._watch(event)

    def _watch(self, event: Signal | EndOfData) -> None:
        accepted = self.accepts.pop(0) if self.accepts else True
        if event is RCPT:
            assert self._sender, "RCPT without MAIL"
            self._recipients += accepted
        elif event is BEGIN_DATA:
            assert self._recipients, "DATA without a recipient"
            self._message = b""
            if not accepted:
                self._sender, self._recipients = False, 0
        elif isinstance(event, EndOfData):
            if accepted:
                self.messages.append(self._message)
            self._sender, self._recipients = False, 0
        else:
            self._sender, self._recipients = event is BEGIN_MAIL and accepted, 0
        self.session.reply(ACCEPT[event.at] if accepted else Reply(450, "4.0.0", "no"))


@given(st.lists(st.sampled_from(VERBS), max_size=40), st.lists(st.booleans(), max_size=40))
def test_any_verbs_in_any_state(said: list[bytes], accepts: list[bool]) -> None:
    """A70, A71: no RCPT event without MAIL, no DATA event without an accepted recipient, one reply for each command."""
    model = Model(accepts)

    model.feed(*said)

    assert codes(model.answer)[0] in (220, 450)


@given(st.lists(st.one_of(st.sampled_from(VERBS), st.binary(max_size=30)), max_size=30), st.data())
def test_the_pieces_do_not_matter(said: list[bytes], data: st.DataObject) -> None:
    """A73: any bytes, cut anywhere, are the same session as whole."""
    whole = b"".join(said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    one, many = Model(), Model()

    one.feed(whole)
    many.feed(*pieces)

    assert (one.answer, one.messages) == (many.answer, many.messages)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(said: bytes) -> None:
    model = Model()

    model.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", said)
    model.feed(said)

    assert codes(model.answer)[:4] == [220, 250, 250, 354]


def test_every_event_that_wants_a_reply_has_its_next_state() -> None:
    assert set(AFTER_ACCEPTED) == set(ACCEPT)
    assert set(AFTER_ACCEPTED) - set(AFTER_REFUSED) == {b"rcpt"}


def test_an_event_comes_again_until_it_is_answered() -> None:
    session = Session(SITE.goodbye, 0, 0)

    assert session.next_event() is session.next_event()


@pytest.mark.parametrize(("line", "code"), [
    (b"", 502), (b"noop", 250), (b"NOOP   x", 250), (b" NOOP", 502), (b"\tNOOP", 502), (b"NOOP\t", 502), (b"NOOPx", 502),
    (b"Mail   from:<a@b>", 250), (b"MAILFROM:<a@b>", 502)])
def test_a_verb_ends_at_the_first_blank(line: bytes, code: int) -> None:
    model = Model()

    model.feed(line + b"\r\n")

    assert codes(model.answer) == [220, code]


def test_pipelined_commands_wait_for_the_verdict() -> None:
    """A18: what stands behind a command is not looked at before its reply."""
    session = Session(SITE.goodbye, 0, 0)
    session.receive_data(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
    session.next_event()
    session.reply(SITE.greeting)

    assert session.next_event() is BEGIN_MAIL
    session.reply(Reply(451, "4.3.0", "no"))
    assert session.next_event() is NEED_DATA
    assert codes(session.data_to_send()) == [220, 451, 503]


def test_a_reply_that_closes_ends_it() -> None:
    session = Session(SITE.goodbye, 0, 0)
    session.receive_data(b"NOOP\r\n")
    session.next_event()
    session.reply(replies.CONTROLS)

    assert session.next_event() is CLOSED
    assert session.closing is replies.CONTROLS
    assert session.rule is None
    assert codes(session.data_to_send()) == [421]
    assert session.data_to_send() == b""


def test_data_beyond_databytes_is_counted_and_not_handed_out() -> None:
    model = Model(databytes=10)

    model.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", *[b"12345678\r\n"] * 1000, b".\r\n")

    assert [len(message) <= 10 for message in model.messages] == [True]


def test_long_lines_are_dropped_as_they_come() -> None:
    """A30: memory is flat, the tail of a long line is no command, and there is an end."""
    model = Model()
    model.feed(*[b"x" * 4096] * 3, b"\r\nNOOP\r\n")
    assert codes(model.answer) == [220, 500, 250]

    model.feed(*[b"x" * 4096] * (DISCARD_MAX // 4096))
    assert codes(model.answer) == [220, 500, 250, 421]


def test_talk_without_mail_has_an_end() -> None:
    model = Model()
    for _ in range(3):
        model.feed(b"NOOP\r\n" * (TALK_MAX - 10) + b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\n")
    assert set(codes(model.answer)) == {220, 250}

    model.feed(b"RSET\r\n" * (TALK_MAX + 1))
    assert codes(model.answer)[-1] == 421


@pytest.mark.parametrize("size", [b"1", b"0", b"99999999999999999999"])
def test_the_announced_size(size: bytes) -> None:
    session = Session(SITE.goodbye, 0, 0)
    session.receive_data(b"MAIL FROM:<a@b> SIZE=" + size + b"\r\n")
    session.next_event()
    session.reply(SITE.greeting)

    assert session.next_event() is BEGIN_MAIL
    assert session.size == int(size)


@pytest.mark.parametrize(("said", "rule", "code"), [
    (b"NOOP\n", "newline", 451), (b"GET / HTTP/1.1\r\n", "protocol", 554), (b"\x16\x03", "protocol", 554),
    (b"NOOP\r\n" * (TALK_MAX + 1), "talk", 421), (b"x" * (DISCARD_MAX + 1), "line-length", 421),
    (b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\n.\r\n", "newline", 451)])
def test_why_the_session_broke_off(said: bytes, rule: str, code: int) -> None:
    """A1, A15: so that the log shows what was tried."""
    model = Model()

    model.feed(said)

    assert model.session.rule == rule
    assert model.session.closing
    assert model.session.closing.code == code
