"""The queue of a process of one session: one program after the other, and nothing left of one that is given up."""

import os

import pytest

from qsmtpd.drivers.blockingqueue import BlockingQueue
from qsmtpd.rules.atonce import complete
from tests.conftest import QmailHome

RECORD = 'cat > "$d/message" && cat <&1 > "$d/envelope" && mv "$d" "${d%.part}" || exit 53'
ENVELOPE = b"Fa@b.test\0Tx@bench.test\0\0"


@pytest.fixture
def queue(qmail_home: QmailHome) -> BlockingQueue:
    return BlockingQueue(str(qmail_home.queue_program(RECORD)), str(qmail_home.path / "bin/not-there"))


def begin(queue: BlockingQueue, message: bytes, *, hold: bool = False) -> int:
    complete(queue.open({}, hold))
    complete(queue.write(message))
    return queue.number


def test_messages_one_after_the_other(queue: BlockingQueue, qmail_home: QmailHome) -> None:
    numbers = []
    for message in (b"one\n", b"two\n"):
        numbers.append(begin(queue, message))
        assert complete(queue.finish(b"a@b.test", [b"x@bench.test"])).code == 0

    assert qmail_home.messages() == [(b"one\n", ENVELOPE), (b"two\n", ENVELOPE)]
    assert len(set(numbers)) == 2


def test_what_is_given_up_is_not_queued_and_its_program_is_waited_for(queue: BlockingQueue, qmail_home: QmailHome) -> None:
    begin(queue, b"one\n")

    complete(queue.abort())
    complete(queue.abort())

    assert qmail_home.messages() == []
    with pytest.raises(ChildProcessError):
        os.waitpid(queue.number, os.WNOHANG)


def test_a_message_that_is_to_be_held_goes_to_the_other_program(queue: BlockingQueue) -> None:
    with pytest.raises(FileNotFoundError):
        begin(queue, b"one\n", hold=True)
