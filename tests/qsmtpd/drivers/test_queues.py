"""Which queue a session's messages go to."""

import asyncio
from typing import Any

import pytest

from qsmtpd.drivers.budget import AT_ONCE, Budget
from qsmtpd.drivers.committed import CommittedQueue
from qsmtpd.drivers.queues import CountedQueue, Queues
from qsmtpd.drivers.reception import FullError
from qsmtpd.drivers.site import Site
from qsmtpd.drivers.spawned import SpawnedQueue
from qsmtpd.qmail.control import Control
from tests.budgets import budget
from tests.byhand import by_hand
from tests.conftest import QmailHome
from tests.queueprograms import RECIPIENTS, SENDER


class Incoming:
    """Nothing comes by it."""

    def __init__(self, control: Control) -> None:
        pass

    def poke(self) -> None:
        """Nobody is there."""


def kind(home: QmailHome, arrivals: Any, **values: bytes) -> type:
    """That of the queue for a client for whom tcp.smtp sets some variables."""
    async def choose() -> type:
        queues = Queues(Control(str(home.control)), budget(), arrivals)
        config = Site(str(home.control), lambda why: None).config(b"of tcp.smtp", values, 0.0)
        try:
            return type(queues.queue(config, dict, lambda event, pairs: None))
        finally:
            queues.close()

    return asyncio.run(choose())


@pytest.mark.parametrize(("program", "wanted"), [
    (b"/usr/local/frontline/bin/holdq-queue", CommittedQueue), (b"holdq-queue", CommittedQueue),
    (b"/usr/local/frontline/bin/qqshim", SpawnedQueue), (b"bin/holdq-queue.old", SpawnedQueue)])
def test_mail_for_holdq_needs_no_program(program: bytes, wanted: type, qmail_home: QmailHome) -> None:
    assert kind(qmail_home, Incoming, QMAILQUEUE=program) is wanted


def test_who_cannot_write_into_the_spool_starts_holdq_queue(qmail_home: QmailHome) -> None:
    assert kind(qmail_home, None, QMAILQUEUE=b"bin/holdq-queue") is SpawnedQueue


def test_by_default_it_is_qmails(qmail_home: QmailHome) -> None:
    assert kind(qmail_home, lambda control: None) is SpawnedQueue


def counted(home: QmailHome, of: Budget, ip: bytes = b"192.0.2.1") -> CountedQueue:
    config = Site(str(home.control), lambda why: None).config(b"", {}, 0.0)
    queues = Queues(Control(str(home.control)), of)
    return CountedQueue(queues, config, ip, lambda: {b"PATH": b"/bin"}, lambda event, pairs: None)


@pytest.mark.parametrize("end", ["finished", "given up", "given up at once"])
def test_a_message_counts_until_its_end(end: str, qmail_home: QmailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in memory, once, however often its end is told."""
    monkeypatch.chdir(qmail_home.path)
    of = budget()

    async def run() -> list[tuple[int, int]]:
        queue = counted(qmail_home, of)
        await queue.open({}, False)
        seen = [(of.messages, of.taken)]
        if end != "given up at once":
            await queue.write(b"x" * 1000)
            seen.append((of.messages, of.taken))
        if end == "finished":
            await queue.finish(SENDER, RECIPIENTS)
        await queue.abort()
        await queue.abort()
        return [*seen, (of.messages, of.taken)]

    assert by_hand(run) == [(1, AT_ONCE), *([(1, 1000)] if end != "given up at once" else []), (0, 0)]


def test_without_room_nothing_begins(qmail_home: QmailHome) -> None:
    of = budget(messages=1)

    async def run() -> int:
        first, second = counted(qmail_home, of), counted(qmail_home, of, b"198.51.100.1")
        await first.open({}, False)
        with pytest.raises(FullError, match="messages"):
            await second.open({}, False)
        await second.abort()
        assert of.messages == 1
        await first.abort()
        await second.open({}, False)
        await second.abort()
        return of.messages

    assert by_hand(run) == 0
