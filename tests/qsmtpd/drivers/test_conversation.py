"""Every dialogue of the corpus on the bare session, whole, line by line and byte by byte; what the log says of a session."""

import pytest

from tests.conftest import QmailHome
from tests.play import Played, pieces, prepare, without_received
from tests.transcript import Dialogue, codes, load

MESSAGE = [b"MAIL FROM:<a@b.test>\r\nRCPT TO:<good@bench.test>\r\nDATA\r\n", b"x\r\n.\r\n", b"QUIT\r\n"]


@pytest.mark.parametrize("way", ["whole", "lines", "bytes"])
@pytest.mark.parametrize("dialogue", load(), ids=repr)
def test_dialogue(dialogue: Dialogue, way: str, qmail_home: QmailHome) -> None:
    prepare(dialogue, qmail_home)

    played = Played(qmail_home, dialogue.env, pieces(dialogue, way))

    assert dialogue.ours == codes(played.wire.answer)
    texts = [each.text for each in dialogue.expected if each.ours is not None]
    last_lines = [line for line in played.wire.answer.split(b"\r\n") if line[3:4] == b" "]
    assert all(line[4:].startswith(text.encode()) for text, line in zip(texts, last_lines, strict=True))
    assert dialogue.queued == [(without_received(message), envelope) for message, envelope in played.queue.queued]


def test_a_lookup_that_fails_is_temporary(qmail_home: QmailHome) -> None:
    """A130: a truncated database neither admits nor refuses anybody."""
    qmail_home.write("rcpthosts", "bench.test")
    (qmail_home.control / "validrcptto.cdb").write_bytes(b"\x10\0")

    played = Played(qmail_home, {}, MESSAGE)

    assert codes(played.wire.answer)[2] == 421
    assert played.lines[-1][1]["verdict"] == b"fault"


def test_what_the_log_says(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    recipients = b"RCPT TO:<good@bench.test>\r\nRCPT TO:<x@elsewhere.test>\r\n"

    played = Played(qmail_home, {}, [b"EHLO c\r\nMAIL FROM:<a@b.test>\r\n", recipients, b"DATA\r\nhello\r\n.\r\nQUIT\r\n"])

    events = [event for event, _ in played.lines]
    assert events == ["rcpt", "rcpt", "message", "session"]
    refused, message, session = (dict(pairs) for _, pairs in played.lines[1:])
    assert refused == {
        "id": "1.1", "to": b"x@elsewhere.test", "is": "foreign", "code": 553, "rule": "rcpthosts"}
    assert message == {
        "id": "1.1", "qp": 7, "from": b"a@b.test", "rcpts": 1, "size": 6, "code": 250, "rule": None, "tags": None,
        "asked": None, "waited": None}
    assert {name: session[name] for name in ("ip", "helo", "from", "rule", "verdict", "code", "rcpt", "good", "bad")} == {
        "ip": b"192.0.2.1", "helo": b"c", "from": b"a@b.test", "rule": "rcpthosts", "verdict": b"quit", "code": 553,
        "rcpt": 2, "good": 1, "bad": 0}
    assert session["asked"] == b"greetdelay:0,!banned,!blocked,!badmailfrom,!badrcptto,!relay"
    assert played.quit


def test_a_tarpit_holds_up_the_answers_to_invalid_recipients_only(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("tarpitcount", "2")
    qmail_home.write("tarpitdelay", "25")
    qmail_home.write("brtlimit", "0")
    qmail_home.write("validrcptto", "good@bench.test")
    bad = b"".join(b"RCPT TO:<bad%d@bench.test>\r\n" % i for i in range(4))

    played = Played(qmail_home, {}, [b"MAIL FROM:<>\r\n" + bad + b"RCPT TO:<good@bench.test>\r\nQUIT\r\n"])
    longer = Played(qmail_home, {}, [b"MAIL FROM:<>\r\n" + bad * 9 + b"QUIT\r\n"])

    assert played.wire.slept == 50.0
    assert longer.wire.slept == 60.0


def test_what_shadows_would_have_done_is_in_the_log(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", 'null-sender ?refuse\nany log "seen {rcpt}"')

    played = Played(qmail_home, {}, [b"MAIL FROM:<>\r\nRCPT TO:<x@bench.test>\r\nRCPT TO:<y@bench.test>\r\nQUIT\r\n"])

    assert codes(played.wire.answer) == [220, 250, 250, 250, 221]
    assert played.lines[-1][1]["shadow"] == b"1:2"
    assert [pairs["text"] for event, pairs in played.lines if event == "log"] == [b"seen x@bench.test", b"seen y@bench.test"]


@pytest.mark.parametrize(("said", "at", "early"), [
    (b"EHLO x\r\nQUIT\r\n", b"helo", 1), (b"EHLO x\r\nEHLO a.b\r\nQUIT\r\n", None, 1),
    (b"EHLO a.b\r\nMAIL FROM:<>\r\nMAIL FROM:<a@b>\r\nRSET\r\nQUIT\r\n", None, 1),
    (b"EHLO a.b\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@far.test>\r\nQUIT\r\n", b"rcpt", None)])
def test_where_a_session_was_refused_last_and_whether_it_cared(
        said: bytes, at: bytes | None, early: int | None, qmail_home: QmailHome) -> None:
    """So that "frontline replay" can tell who left because of it."""
    qmail_home.write("rules", "helo-oneword refuse@helo\nnull-sender refuse@mail\n")

    event, pairs = Played(qmail_home, {}, [said]).lines[-1]

    assert (event, pairs["at"], pairs["early"]) == ("session", at, early)
