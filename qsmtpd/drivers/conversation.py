"""One session from the greeting to the end: the policy hears of events, the client of verdicts, the queue gets the message.

It awaits only its wire and its queue, so it serves the driver that blocks and the one that does not.
"""

import time

from ..events import BEGIN_DATA, BEGIN_MAIL, CLOSED, HELO, NEED_DATA, RCPT, Signal
from ..ruling import Verdict

KNOWN = {True: "valid", False: "invalid", None: "unchecked"}
FOREIGN = "foreign"
"""In the place of those, for a recipient whose domain is not ours."""
EARLY = (b"helo", b"mail")
"""Who is refused there, and is still heard of, has not cared."""


class Conversation:
    """Brings a Session, a Policy, a Wire, a Queue and a Journal together.

    queue       makes the queue of the session's messages, when the first begins
    own_fields  names of header fields that are ours to write: what comes in under them is left out
    cpu_ms      tells what the session has cost, None where one process has many
    """

    __slots__ = (
        "_code",
        "_cpu_ms",
        "_journal",
        "_own_fields",
        "_peer",
        "_policy",
        "_queue",
        "_reception",
        "_refused_at",
        "_refused_early",
        "_rule",
        "_sender_noted",
        "_session",
        "_started",
        "_verdict",
        "_wire",
    )

    def __init__(
            self, *, session: "Session", policy: "Policy", peer: "Peer", wire: "Wire", queue: "Callable[[], Queue]",
            journal: "Journal", own_fields: tuple[bytes, ...], cpu_ms: "Callable[[], int | None] | None" = None,
    ) -> None:
        self._session = session
        self._policy = policy
        self._peer = peer
        self._wire = wire
        self._queue = queue
        self._journal = journal
        self._own_fields = own_fields
        self._cpu_ms = cpu_ms
        self._reception: Reception | None = None
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
            while (event := self._session.next_event()) is not CLOSED:
                if event is NEED_DATA:
                    data = self._wire.read(self._session.data_to_send())
                    while data is None:
                        await self._wire.wait()
                        data = self._wire.read()
                    if data:
                        self._session.receive_data(data)
                    else:
                        self._session.receive_eof()
                elif event is not RCPT and isinstance(event, bytes):  # which looks for a __class__, for each recipient
                    assert self._reception  # since DATA
                    await self._reception.take(event)
                else:
                    if event is RCPT:
                        verdict = await self._policy.recipient(self._session.recipient)
                        self._note_recipient(verdict)
                    else:
                        verdict = await self._decide(event)
                    if verdict.delay:
                        await self._wire.write(self._session.data_to_send())
                        await self._wire.sleep(verdict.delay)
                    self._answer(event, verdict)
                    del verdict  # or it would be kept while we wait for the client
            self._note_the_end()
        except Exception as error:  # whatever fault of ours it is, it is a temporary failure
            self._break_off(error)
        self._policy.end()
        await self._wire.close(self._session.data_to_send(), linger=self._verdict != "quit")
        if self._reception is not None:
            await self._reception.abort()
        self._note_session()
        return self._verdict == "quit"

    def _answer(self, event: "Question", verdict: Verdict) -> None:
        reply = verdict.reply
        if reply.positive:
            self._refused_at = None
        else:
            self._refused_at = event.at
            self._refused_early += self._refused_at in EARLY
            self._rule, self._code = verdict.rule, reply.code
        self._session.reply(reply)

    def _note_the_end(self) -> None:
        closing, rule = self._session.closing, self._session.rule
        if closing is not None:
            self._verdict = "quit" if closing.positive else "refused"
            if rule is not None:
                self._rule, self._code = rule, closing.code

    async def _decide(self, event: "Question") -> Verdict:
        session, policy = self._session, self._policy
        if event is BEGIN_MAIL:
            self._sender_noted = False
            return await policy.sender(session.sender, session.size, session.utf8)
        if event is BEGIN_DATA:
            return await self._data()
        if event is HELO:
            return await policy.helo(session.helo, session.extended)
        if isinstance(event, Signal):
            return await policy.connect()
        assert self._reception  # as above
        return await self._reception.end(event.size, event.hops)

    async def _data(self) -> Verdict:
        if self._reception is None:
            from .reception import Reception  # noqa: PLC0415 - most sessions of a busy server never get so far

            self._reception = Reception(self._policy, self._queue(), self._journal, self._peer, self._own_fields)
        assert self._policy.transaction  # for a recipient was accepted
        return await self._reception.begin(self._policy.transaction)

    def _break_off(self, error: Exception) -> None:
        from .ends import FAULT, end  # noqa: PLC0415 - most sessions end as they should

        self._verdict, reply = end(error)
        if self._verdict == FAULT:
            self._journal.fault(error)
        if reply is not None:
            self._session.close(reply)

    # The log (docs/log.md)

    def _note_recipient(self, verdict: Verdict) -> None:
        mail = self._policy.mail
        pairs: list[tuple[str, bytes | str | int | None]] = [
            ("to", mail.recipient), ("is", KNOWN[mail.known] if mail.ours else FOREIGN), ("code", verdict.reply.code),
            ("rule", verdict.rule)]
        if not self._sender_noted:
            self._sender_noted = True
            pairs.insert(0, ("from", mail.sender))
        if self._policy.knowledge.fresh:
            held, others = self._policy.knowledge.news()
            pairs += [("tags", held), ("asked", others)]
        self._journal.note("rcpt", pairs)

    def _note_session(self) -> None:
        mail, peer, wire = self._policy.mail, self._peer, self._wire
        held, others = self._policy.knowledge.of_session()
        shadows = self._policy.ruling.shadows
        self._journal.note("session", [
            ("ip", peer.ip), ("ptr", peer.host), ("helo", mail.helo), ("from", mail.sender), ("tags", held), ("asked", others),
            ("rule", self._rule), ("verdict", self._verdict.encode()), ("code", self._code or None),
            ("at", self._refused_at), ("early", self._refused_early or None), ("rcpt", mail.rcpt), ("good", mail.good),
            ("bad", mail.bad),
            ("in", wire.bytes_in), ("out", wire.bytes_out),
            ("ms", int((time.monotonic() - self._started) * 1000)), ("cpu-ms", self._cpu_ms and self._cpu_ms()),
            ("shadow", ",".join([f"{line}:{times}" for line, times in shadows.items()]).encode() if shadows else None)])
        self._journal.write()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from ..dotstuff import EndOfData
    from ..policy import Policy
    from ..qmail.env import Peer
    from ..session import Session
    from .journal import Journal
    from .reception import Queue, Reception

    Question = Signal | EndOfData

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
