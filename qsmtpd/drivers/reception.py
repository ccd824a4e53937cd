"""The messages of a session on their way from the client into the queue: what follows DATA.

Apart from conversation.py because most sessions of a busy server never get so far: it is imported by the first DATA.
"""

import time

from .. import replies
from ..headersection import FieldFilter, HeaderSection
from ..qmail import received
from ..replies import Reply
from ..ruling import Verdict

REFUSED_LATER = 554
"""What checks that remember are told of a message that was put aside for somebody."""


class FullError(OSError):
    """There is no room for a message; str() is what is exhausted: "memory", "messages", or "netblock", a network's share."""


class Reception:
    """One message after the other, each from begin() to end()."""

    __slots__ = ("_filter", "_journal", "_own_fields", "_peer", "_policy", "_queue", "_section", "_transaction")

    def __init__(
            self, policy: "Policy", queue: "Queue", journal: "Journal", peer: "Peer", own_fields: tuple[bytes, ...]) -> None:
        """See Conversation."""
        self._policy = policy
        self._queue = queue
        self._journal = journal
        self._peer = peer
        self._own_fields = own_fields
        self._transaction: Transaction
        self._section: HeaderSection | None
        self._filter: FieldFilter

    async def begin(self, transaction: "Transaction") -> Verdict:
        """DATA."""
        self._transaction = transaction
        try:
            await self._queue.open(await transaction.for_queue(), transaction.hold)
        except FullError as error:
            return Verdict(replies.NO_ROOM, str(error))
        except OSError as error:
            self._journal.fault(error)
            return Verdict(replies.NO_QUEUE)
        self._section = HeaderSection()
        self._filter = FieldFilter(self._own_fields)
        return Verdict(replies.GO_AHEAD)

    async def take(self, data: bytes) -> None:
        """A piece of the message: its header is first looked at, what follows is passed on."""
        section = self._section
        if section is None:
            await self._queue.write(self._filter.feed(data))
        elif section.feed(data):
            await self._pass_header(section)

    async def end(self, size: int, hops: int) -> Verdict:
        """The message is there, see dotstuff.EndOfData."""
        if self._section is not None:
            self._section.finish()
            await self._pass_header(self._section)
        disposal = await self._transaction.message(size, hops)
        verdict = disposal.verdict or await self._hand_over(disposal.envelope)
        if disposal.verdict is not None:
            await self.abort()
        number = self._queue.number
        for address, verb, rule in disposal.aside:
            self._journal.note("aside", [("qp", number), ("to", address), ("verdict", verb.encode()), ("rule", rule.encode())])
        # What nobody gets as it is speaks for nobody, though the client is told 250.
        await self._policy.knowledge.tell(REFUSED_LATER if disposal.aside else verdict.reply.code)
        self._note(size, number, len(disposal.envelope), verdict)
        return verdict

    async def abort(self) -> None:
        """What is not finished is not queued."""
        await self._queue.abort()

    async def _pass_header(self, section: HeaderSection) -> None:
        """The header is there: our own fields, the Received field, and what has come so far."""
        self._section = None
        fields = await self._transaction.header(section.text)
        mail = self._policy.mail
        ours = b"".join([field + b"\n" for field in fields])
        trace = received.smtp(self._peer, mail.helo, mail.protocol, time.time())
        await self._queue.write(ours + trace + self._filter.feed(section.text + section.rest))

    async def _hand_over(self, envelope: list[bytes]) -> Verdict:
        """Have the message queued for these recipients, or for nobody."""
        await self._queue.write(self._filter.finish())
        if not envelope:
            await self.abort()
            return Verdict(replies.queued(time.time(), self._queue.number))
        outcome = await self._queue.finish(self._policy.mail.sender or b"", envelope)
        self._policy.mail.score = outcome.score
        if outcome.code:
            return Verdict(Reply(outcome.code, outcome.status, *outcome.lines), "queue")
        return Verdict(replies.queued(time.time(), self._queue.number))

    def _note(self, size: int, number: int, recipients: int, verdict: Verdict) -> None:
        held, others = self._policy.knowledge.news()
        self._journal.note("message", [
            ("qp", number), ("from", self._policy.mail.sender), ("rcpts", recipients), ("size", size),
            ("code", verdict.reply.code), ("rule", verdict.rule), ("tags", held), ("asked", others),
            ("waited", self._policy.mail.waited)])
        self._journal.write()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..policy import Policy
    from ..qmail.env import Peer
    from ..qmail.outcome import Outcome
    from ..transaction import Transaction
    from .journal import Journal

    class Queue(Protocol):
        """One queue program at a time.

        number  of the last message: its process id, or what stands for one; it may be known only when the message is queued
        """

        number: int

        async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
            """Start it; OSError when that cannot be.

            told  variables for its environment
            hold  it is the one that holds messages
            """

        async def write(self, data: bytes) -> None: ...

        async def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome: ...

        async def abort(self) -> None:
            """End the one that runs, if one does, with nothing queued."""
