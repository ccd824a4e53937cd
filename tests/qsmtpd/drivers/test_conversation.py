"""Every dialogue of the corpus on the bare session, whole, line by line and byte by byte; faults of ours within a session."""

import pytest

from qsmtpd.qmail.outcome import Outcome
from tests.conftest import QmailHome
from tests.play import Played, RecordingQueue, pieces, prepare, without_received
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


def said_of(outcome: Outcome, home: QmailHome) -> bytes:
    home.write("rcpthosts", "bench.test")
    return Played(home, {}, MESSAGE, RecordingQueue(outcome)).wire.answer.split(b"\r\n")[-3]


def test_the_queue_programs_words_are_the_reply(qmail_home: QmailHome) -> None:
    answer = said_of(Outcome(554, "5.7.1", ("your mail has a virus",)), qmail_home)

    assert answer == b"554 5.7.1 your mail has a virus"


def test_a_queue_programs_words_cannot_forge_a_reply(qmail_home: QmailHome) -> None:
    """A44: one code, lines of printable ASCII, 510 bytes."""
    answer = said_of(Outcome(451, "4.3.0", ("a\r\n250 ok\0\x1b[2J" + "x" * 9999,)), qmail_home)

    assert answer.startswith(b"451 4.3.0 a??250 ok??[2Jxxx")
    assert len(answer) == 510


class BrokenQueue(RecordingQueue):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        raise self.error


@pytest.mark.parametrize(("error", "code"), [
    (FileNotFoundError("qmail-queue"), 451), (OSError(24, "Too many open files"), 451),
    (BlockingIOError(11, "no process"), 451), (MemoryError(), 421), (RuntimeError("a bug"), 421)])
def test_a_fault_of_ours_is_temporary_and_its_detail_stays_in_the_log(
        error: Exception, code: int, qmail_home: QmailHome) -> None:
    """A137, A138, A140: a missing queue program, no descriptors, no processes, no memory, a bug."""
    qmail_home.write("rcpthosts", "bench.test")

    played = Played(qmail_home, {}, MESSAGE, BrokenQueue(error))

    assert codes(played.wire.answer)[3] == code
    assert str(error).encode() not in played.wire.answer or not str(error)
    assert [pairs["why"] for event, pairs in played.lines if event == "fault"] == [f"{type(error).__name__}: {error}".encode()]
    assert not played.queue.queued


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
        "id": "1.1", "from": None, "to": b"x@elsewhere.test", "is": "foreign", "code": 553, "rule": "rcpthosts",
        "tags": None, "asked": None}
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


def test_fields_that_the_rules_give_stand_on_top_and_nobody_else_gives_them(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", 'relay header "X-Relay: yes"\nany header "X-From: {ip}"\nnull-sender header "X-Bounce: yes"')
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\n"
    forged = b"x-from: forged\r\nSubject: a\r\nX-Relay: yes\r\n too\r\n\r\nX-Relay: of the body\r\n.\r\nQUIT\r\n"

    played = Played(qmail_home, {}, [said, forged])

    message = played.queue.queued[0][0]
    assert message.startswith(b"X-From: 192.0.2.1\nReceived: from unknown")
    assert message.endswith(b"\nSubject: a\n\nX-Relay: of the body\n")


def test_a_held_message_goes_to_the_queue_that_holds_and_scanners_are_told(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", "relay accept\nvirus & !relay refuse\nnull-sender hold")
    said = b"MAIL FROM:<%b>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\nx\r\n.\r\n"

    played = Played(qmail_home, {}, [said % b"", said % b"a@b.test", b"QUIT\r\n"])

    assert played.queue.opened == [({b"QQTAGS": b"!relay,null-sender;"}, True), ({b"QQTAGS": b"!relay,!null-sender;"}, False)]


def test_discarded_is_answered_as_queued_and_is_not(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", "size > 3 discard")
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\n%b\r\n.\r\n"

    played = Played(qmail_home, {}, [said % b"long enough", said % b"x", b"QUIT\r\n"])

    assert codes(played.wire.answer)[4] == 250
    assert [message[-2:] for message, _ in played.queue.queued] == [b"x\n"]
    assert [pairs["verdict"] for event, pairs in played.lines if event == "aside"] == [b"discard"]


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


def test_the_score_that_the_queue_program_tells_is_for_the_checks(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")

    played = Played(qmail_home, {}, MESSAGE, RecordingQueue(Outcome(0, "2.0.0", (), 7.5)))

    assert codes(played.wire.answer)[-2] == 250
    assert played.policy.mail.score == 7.5
