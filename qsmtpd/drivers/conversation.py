"""One session from the greeting to the end: the policy hears of events, the client of verdicts, the queue gets the message.

It awaits only its wire and its queue, so it serves the driver that blocks and the one that does not.
"""

import time

from .. import replies
from ..checks.base import LookupFailedError
from ..events import Chunk, Closed, Connected, Data, EndOfData, Helo, Mail, NeedData, Rcpt
from ..qmail.control import ControlError
from ..qmail.env import Peer
from ..replies import Reply
from ..ruling import Verdict

REFUSED_LATER = 554
"""What checks that remember are told of a message that was put aside for somebody."""
KNOWN = {True: "valid", False: "invalid", None: "unchecked"}
FOREIGN = "foreign"
"""In the place of those, for a recipient whose domain is not ours."""
SAID = {Connected: b"connect", Helo: b"helo", Mail: b"mail", Rcpt: b"rcpt", Data: b"data", EndOfData: b"message"}
EARLY = (b"helo", b"mail")
"""Who is refused there, and is still heard of, has not cared."""


class FullError(OSError):
    """There is no room for a message; str() is what is exhausted: "memory", "messages", or "netblock", a network's share."""


class ShutdownError(Exception):
    """We are asked to end, and the client is between two messages."""


ENDS: "tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, Reply | None], ...]" = (
    (TimeoutError, "timeout", replies.TIMEOUT),
    (ConnectionError, "gone", None),
    (ShutdownError, "shutdown", replies.SHUTDOWN),
    ((LookupFailedError, ControlError), "fault", replies.CONTROLS),
    (MemoryError, "fault", replies.OUT_OF_MEMORY),
    (Exception, "fault", replies.INTERNAL),
)
"""What ends a session before the client does, the verdict in the log, and what he hears."""


class Conversation:
    """Brings a Session, a Policy, a Wire, a Queue and a Journal together.

    own_fields  names of header fields that are ours to write: what comes in under them is left out
    cpu_ms      what the session has cost, None where one process has many
    """

    __slots__ = (
        "_code",
        "_cpu_ms",
        "_filter",
        "_journal",
        "_own_fields",
        "_peer",
        "_policy",
        "_queue",
        "_refused_at",
        "_refused_early",
        "_rule",
        "_section",
        "_sender_noted",
        "_session",
        "_started",
        "_verdict",
        "_wire",
    )

    def __init__(
            self, *, session: "Session", policy: "Policy", peer: Peer, wire: "Wire", queue: "Queue", journal: "Journal",
            own_fields: tuple[bytes, ...], cpu_ms: "Callable[[], int | None]" = lambda: None,
    ) -> None:
        self._session = session
        self._policy = policy
        self._peer = peer
        self._wire = wire
        self._queue = queue
        self._journal = journal
        self._own_fields = own_fields
        self._cpu_ms = cpu_ms
        self._section: HeaderSection | None = None
        self._filter: FieldFilter
        self._started = time.monotonic()
        self._verdict = "eof"
        self._rule: str | None = None
        self._code = 0
        self._sender_noted = False
        self._refused_at: bytes | None = None
        self._refused_early = 0

    async def run(self) -> bool:
        """Talk until the end; True when the client said QUIT.  A message that was not finished by then is not queued."""
        try:
            while not isinstance(event := self._session.next_event(), Closed):
                if isinstance(event, NeedData):
                    data = self._wire.read(self._session.data_to_send())
                    while data is None:
                        await self._wire.wait()
                        data = self._wire.read()
                    if data:
                        self._session.receive_data(data)
                    else:
                        self._session.receive_eof()
                elif isinstance(event, Chunk):
                    await self._take(event.data)
                else:
                    await self._respond(event)
            self._note_the_end()
        except Exception as error:  # whatever fault of ours it is, it is a temporary failure
            self._break_off(error)
        self._policy.end()
        await self._wire.close(self._session.data_to_send(), linger=self._verdict != "quit")
        await self._queue.abort()
        self._note_session()
        return self._verdict == "quit"

    async def _respond(self, event: "Question") -> None:
        """Decide, and say it.  Not in run(), where the last reply would be kept while we wait for the client."""
        if isinstance(event, Rcpt):
            verdict = await self._policy.recipient(event.recipient)
            self._note_recipient(verdict)
        else:
            verdict = await self._decide(event)
        if verdict.delay:
            await self._wire.write(self._session.data_to_send())
            await self._wire.sleep(verdict.delay)
        reply = verdict.reply
        if reply.positive:
            self._refused_at = None
        else:
            self._refused_at = SAID[type(event)]
            self._refused_early += self._refused_at in EARLY
            self._rule, self._code = verdict.rule, reply.code
        self._session.reply(reply)

    def _note_the_end(self) -> None:
        closing, rule = self._session.closing, self._session.rule
        if closing is not None:
            self._verdict = "quit" if closing.positive else "refused"
            if rule is not None:
                self._rule, self._code = rule, closing.code

    async def _decide(self, event: "Connected | Helo | Mail | Data | EndOfData") -> Verdict:
        if isinstance(event, Mail):
            self._sender_noted = False
            return await self._policy.sender(event.sender, event.size, event.utf8)
        if isinstance(event, Data):
            return await self._data()
        if isinstance(event, EndOfData):
            return await self._end_of_data(event)
        if isinstance(event, Helo):
            return await self._policy.helo(event.name, event.extended)
        return await self._policy.connect()

    async def _data(self) -> Verdict:
        policy = self._policy
        try:
            await self._queue.open(await policy.for_queue(), policy.hold)
        except FullError as error:
            return Verdict(replies.NO_ROOM, str(error))
        except OSError as error:
            self._fault(error)
            return Verdict(replies.NO_QUEUE)
        from ..headersection import FieldFilter, HeaderSection  # noqa: PLC0415 - most sessions of a busy server never get so far

        self._section = HeaderSection()
        self._filter = FieldFilter(self._own_fields)
        return Verdict(replies.GO_AHEAD)

    async def _take(self, data: bytes) -> None:
        """A piece of the message: its header is first looked at, what follows is passed on."""
        section = self._section
        if section is None:
            await self._queue.write(self._filter.feed(data))
        elif section.feed(data):
            await self._begin(section)

    async def _begin(self, section: "HeaderSection") -> None:
        """The header is there: our own fields, the Received field, and what has come so far."""
        from ..qmail import received  # noqa: PLC0415 - most sessions of a busy server never get so far

        self._section = None
        fields = await self._policy.header(section.text)
        mail = self._policy.mail
        ours = b"".join([field + b"\n" for field in fields])
        trace = received.smtp(self._peer, mail.helo, mail.protocol, time.time())
        await self._queue.write(ours + trace + self._filter.feed(section.text + section.rest))

    async def _end_of_data(self, event: EndOfData) -> Verdict:
        if self._section is not None:
            self._section.finish()
            await self._begin(self._section)
        disposal = await self._policy.message(event.size, event.hops)
        verdict = disposal.verdict or await self._hand_over(disposal.envelope)
        if disposal.verdict is not None:
            await self._queue.abort()
        number = self._queue.number
        for address, verb, rule in disposal.aside:
            self._journal.note("aside", [("qp", number), ("to", address), ("verdict", verb.encode()), ("rule", rule.encode())])
        # What nobody gets as it is speaks for nobody, though the client is told 250.
        await self._policy.knowledge.tell(REFUSED_LATER if disposal.aside else verdict.reply.code)
        self._note_message(event.size, number, len(disposal.envelope), verdict)
        return verdict

    async def _hand_over(self, envelope: list[bytes]) -> Verdict:
        """Have the message queued for these recipients, or for nobody."""
        await self._queue.write(self._filter.finish())
        if not envelope:
            await self._queue.abort()
            return Verdict(replies.queued(time.time(), self._queue.number))
        outcome = await self._queue.finish(self._policy.mail.sender or b"", envelope)
        self._policy.mail.score = outcome.score
        if outcome.code:
            return Verdict(Reply(outcome.code, outcome.status, *outcome.lines), "queue")
        return Verdict(replies.queued(time.time(), self._queue.number))

    def _break_off(self, error: Exception) -> None:
        why, reply = next((why, reply) for kind, why, reply in ENDS if isinstance(error, kind))
        if why == "fault":
            self._fault(error)
        self._verdict = why
        if reply is not None:
            self._session.close(reply)

    # The log (docs/log.md)

    def _fault(self, error: BaseException) -> None:
        self._journal.note("fault", [("why", f"{type(error).__name__}: {error}".encode("utf-8", "replace"))])
        self._journal.write()

    def _note_recipient(self, verdict: Verdict) -> None:
        mail = self._policy.mail
        held, others = self._policy.knowledge.news()
        sender = None if self._sender_noted else mail.sender
        self._sender_noted = True
        self._journal.note("rcpt", [
            ("from", sender), ("to", mail.recipient), ("is", KNOWN[mail.known] if mail.ours else FOREIGN),
            ("code", verdict.reply.code), ("rule", verdict.rule), ("tags", held), ("asked", others)])

    def _note_message(self, size: int, number: int, recipients: int, verdict: Verdict) -> None:
        held, others = self._policy.knowledge.news()
        self._journal.note("message", [
            ("qp", number), ("from", self._policy.mail.sender), ("rcpts", recipients), ("size", size),
            ("code", verdict.reply.code), ("rule", _encoded(verdict.rule)), ("tags", held), ("asked", others),
            ("waited", self._policy.mail.waited)])
        self._journal.write()

    def _note_session(self) -> None:
        mail, peer, wire = self._policy.mail, self._peer, self._wire
        held, others = self._policy.knowledge.of_session()
        shadows = ",".join([f"{line}:{times}" for line, times in self._policy.ruling.shadows.items()])
        self._journal.note("session", [
            ("ip", peer.ip), ("ptr", peer.host), ("helo", mail.helo), ("from", mail.sender), ("tags", held), ("asked", others),
            ("rule", _encoded(self._rule)), ("verdict", self._verdict.encode()), ("code", self._code or None),
            ("at", self._refused_at), ("early", self._refused_early or None), ("rcpt", mail.rcpt), ("good", mail.good),
            ("bad", mail.bad),
            ("in", wire.bytes_in), ("out", wire.bytes_out),
            ("ms", int((time.monotonic() - self._started) * 1000)), ("cpu-ms", self._cpu_ms()),
            ("shadow", shadows.encode() or None)])
        self._journal.write()


def _encoded(rule: str | None) -> bytes | None:
    return None if rule is None else rule.encode()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from ..headersection import FieldFilter, HeaderSection
    from ..policy import Policy
    from ..qmail.outcome import Outcome
    from ..session import Session
    from .journal import Journal

    Question = Connected | Helo | Mail | Rcpt | Data | EndOfData

    class Wire(Protocol):
        """The connection.  Everything may raise TimeoutError when a deadline has passed, and ConnectionError."""

        bytes_in: int
        bytes_out: int

        def read(self, answer: bytes = b"") -> bytes | None:
            """Send an answer, if there is one; return what the client sends next, b"" at the end; None when he has not yet."""

        def wait(self) -> Awaitable[object]:
            """Wait until it is worth while to read again."""

        async def write(self, data: bytes) -> None:
            """Send all of it; nothing is done for b""."""

        async def sleep(self, seconds: float) -> None:
            """Hold the client up."""

        async def close(self, data: bytes, linger: bool) -> None:
            """Send the last words; raises nothing.

            linger  the client may still be sending, and must be able to read them all the same
            """

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
