"""Which queue a session's messages go to."""

import asyncio
from typing import Any

import pytest

from qsmtpd.drivers.committed import CommittedQueue
from qsmtpd.drivers.queues import Queues
from qsmtpd.drivers.site import Site
from qsmtpd.drivers.spawned import SpawnedQueue
from qsmtpd.qmail.control import Control
from tests.conftest import QmailHome


def kind(home: QmailHome, arrivals: Any, **values: bytes) -> type:
    """That of the queue for a client for whom tcp.smtp sets some variables."""
    async def choose() -> type:
        queues = Queues(Control(str(home.control)), arrivals)
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
    assert kind(qmail_home, lambda control: None, QMAILQUEUE=program) is wanted


def test_who_cannot_write_into_the_spool_starts_holdq_queue(qmail_home: QmailHome) -> None:
    assert kind(qmail_home, None, QMAILQUEUE=b"bin/holdq-queue") is SpawnedQueue


def test_by_default_it_is_qmails(qmail_home: QmailHome) -> None:
    assert kind(qmail_home, lambda control: None) is SpawnedQueue
