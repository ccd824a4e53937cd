"""Messages on their way into the queue: what is put before them, what the queue program says, and faults of ours."""

import pytest

from qsmtpd.drivers.reception import FullError
from qsmtpd.qmail.outcome import Outcome
from tests.conftest import QmailHome
from tests.play import Played, RecordingQueue
from tests.transcript import codes

MESSAGE = [b"MAIL FROM:<a@b.test>\r\nRCPT TO:<good@bench.test>\r\nDATA\r\n", b"x\r\n.\r\n", b"QUIT\r\n"]


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


def test_the_score_that_the_queue_program_tells_is_for_the_checks(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")

    played = Played(qmail_home, {}, MESSAGE, RecordingQueue(Outcome(0, "2.0.0", (), 7.5)))

    assert codes(played.wire.answer)[-2] == 250
    assert played.policy.mail.score == 7.5


def test_without_room_it_is_put_off_and_that_is_no_fault(qmail_home: QmailHome) -> None:
    """A37: the name of what is exhausted stands where the number of a rule does."""
    qmail_home.write("rcpthosts", "bench.test")

    played = Played(qmail_home, {}, MESSAGE, BrokenQueue(FullError("memory")))

    assert codes(played.wire.answer)[3] == 451
    assert [event for event, _ in played.lines] == ["rcpt", "session"]
    assert (played.lines[-1][1]["rule"], played.lines[-1][1]["code"]) == ("memory", 451)


def test_one_message_after_the_other(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    said = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\nSubject: %d\r\n\r\n%d\r\n.\r\n"

    played = Played(qmail_home, {}, [said % (1, 1), said % (2, 2), b"QUIT\r\n"])

    assert [message.rpartition(b"Subject")[2] for message, _ in played.queue.queued] == [b": 1\n\n1\n", b": 2\n\n2\n"]
