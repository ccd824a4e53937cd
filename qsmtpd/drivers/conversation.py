"""One session from the greeting to the end: the policy hears of events, the client of verdicts, the queue gets the message.

It awaits only its wire and its queue, so it serves the driver that blocks and the one that does not.
"""

import time

from .. import replies
from ..checks.base import LookupFailedError
from ..events import Chunk, Closed, Connected, Data, EndOfData, Helo, Mail, NeedData, Rcpt
from ..policy import Verdict
from ..qmail.env import Peer
from ..replies import Reply

LINES_MAX = 40
"""Lines about recipients that wait for each other: one by itself costs as much as the answer that it tells of."""
KNOWN = {True: b"valid", False: b"invalid", None: b"unchecked"}


class Conversation:
    """Brings a Session, a Policy, a Wire and a Queue together.

    identity  of the session, in every line of the log
    """

    def __init__(
            self, *, session: "Session", policy: "Policy", peer: Peer, wire: "Wire", queue: "Queue", log: "Log", identity: bytes
    ) -> None:
        self._session = session
        self._policy = policy
        self._peer = peer
        self._wire = wire
        self._queue = queue
        self._log = log
        self._identity = identity
        self._started = time.monotonic()
        self._verdict = "eof"
        self._check: str | None = None
        self._code = 0
        self._lines: list[tuple[str, Pairs]] = []

    async def run(self) -> bool:
        """Talk until the end; True when the client said QUIT.  A message that was not finished by then is not queued."""
        try:
            await self._talk()
        except TimeoutError:
            self._end("timeout", replies.TIMEOUT)
        except ConnectionError:
            self._end("gone", None)
        except LookupFailedError as error:
            self._fault(error)
            self._end("fault", replies.CONTROLS)
        except MemoryError as error:
            self._fault(error)
            self._end("fault", replies.OUT_OF_MEMORY)
        except Exception as error:  # whatever fault of ours it is, it is a temporary failure
            self._fault(error)
            self._end("fault", replies.INTERNAL)
        await self._wire.close(self._session.data_to_send(), linger=self._verdict != "quit")
        await self._queue.abort()
        self._note_session()
        return self._verdict == "quit"

    async def _talk(self) -> None:
        while True:
            event = self._session.next_event()
            if isinstance(event, NeedData):
                await self._wire.write(self._session.data_to_send())
                data = await self._wire.read()
                if data:
                    self._session.receive_data(data)
                else:
                    self._session.receive_eof()
            elif isinstance(event, Closed):
                self._note_the_end()
                return
            elif isinstance(event, Chunk):
                await self._queue.write(event.data)
            else:
                await self._answer(await self._decide(event))

    def _note_the_end(self) -> None:
        closing, rule = self._session.closing, self._session.rule
        if closing is not None:
            self._verdict = "quit" if closing.positive else "refused"
            if rule is not None:
                self._check, self._code = rule, closing.code

    async def _answer(self, verdict: Verdict) -> None:
        if verdict.delay:
            await self._wire.write(self._session.data_to_send())
            await self._wire.sleep(verdict.delay)
        if not verdict.reply.positive:
            self._check = verdict.check
            self._code = verdict.reply.code
        self._session.reply(verdict.reply)

    async def _decide(self, event: "Question") -> Verdict:
        if isinstance(event, Rcpt):
            verdict = await self._policy.recipient(event.recipient)
            self._note_recipient(verdict)
            return verdict
        if isinstance(event, Mail):
            return await self._policy.sender(event.sender, event.size, event.utf8)
        if isinstance(event, Data):
            return await self._data()
        if isinstance(event, EndOfData):
            return await self._end_of_data(event)
        if isinstance(event, Helo):
            return self._policy.helo(event.name, event.extended)
        return self._policy.connect()

    async def _data(self) -> Verdict:
        try:
            await self._queue.open()
        except OSError as error:
            self._fault(error)
            return Verdict(replies.NO_QUEUE)
        from ..qmail import received  # noqa: PLC0415 - most sessions of a busy server never get so far

        mail = self._policy.mail
        await self._queue.write(received.smtp(self._peer, mail.helo, mail.protocol, time.time()))
        return Verdict(replies.GO_AHEAD)

    async def _end_of_data(self, event: EndOfData) -> Verdict:
        mail = self._policy.mail
        number = self._queue.number
        verdict = self._policy.message(event.size, event.hops)
        if verdict is not None:
            await self._queue.abort()
        else:
            outcome = await self._queue.finish(mail.sender or b"", mail.recipients)
            reply = Reply(outcome.code, outcome.status, *outcome.lines) if outcome.code else replies.queued(time.time(), number)
            verdict = Verdict(reply, "queue" if outcome.code else None)
        self._note_message(event.size, number, verdict)
        return verdict

    def _end(self, why: str, reply: Reply | None) -> None:
        self._verdict = why
        if reply is not None:
            self._session.close(reply)

    # The log (docs/log.md)

    def _fault(self, error: BaseException) -> None:
        self._note("fault", [("why", f"{type(error).__name__}: {error}".encode("utf-8", "replace"))])
        self._write_log()

    def _note_recipient(self, verdict: Verdict) -> None:
        mail = self._policy.mail
        self._note("rcpt", [
            ("to", mail.recipient), ("is", KNOWN[mail.known]), ("code", verdict.reply.code), ("rule", _name(verdict.check))])
        if len(self._lines) >= LINES_MAX:
            self._write_log()

    def _note_message(self, size: int, number: int, verdict: Verdict) -> None:
        mail = self._policy.mail
        self._note("message", [
            ("qp", number), ("from", mail.sender), ("rcpts", len(mail.recipients)), ("size", size),
            ("code", verdict.reply.code), ("rule", _name(verdict.check))])
        self._write_log()

    def _note_session(self) -> None:
        mail, peer, wire = self._policy.mail, self._peer, self._wire
        self._note("session", [
            ("ip", peer.ip), ("ptr", peer.host), ("helo", mail.helo), ("from", mail.sender),
            ("rule", _name(self._check)), ("verdict", self._verdict.encode()), ("code", self._code or None),
            ("rcpt", mail.rcpt), ("good", mail.good), ("bad", mail.bad), ("in", wire.bytes_in), ("out", wire.bytes_out),
            ("ms", int((time.monotonic() - self._started) * 1000)), ("cpu-ms", int(time.process_time() * 1000))])
        self._write_log()

    def _note(self, event: str, pairs: "Pairs") -> None:
        self._lines.append((event, [("id", self._identity), *pairs]))

    def _write_log(self) -> None:
        self._log(self._lines)
        self._lines.clear()


def _name(check: str | None) -> bytes | None:
    return None if check is None else check.encode()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..policy import Policy
    from ..qmail.logline import Pairs
    from ..qmail.outcome import Outcome
    from ..session import Session

    Question = Connected | Helo | Mail | Rcpt | Data | EndOfData

    class Log(Protocol):
        """Writes lines, at once."""

        def __call__(self, lines: list[tuple[str, Pairs]]) -> None: ...

    class Wire(Protocol):
        """The connection.  Everything may raise TimeoutError when a deadline has passed, and ConnectionError."""

        bytes_in: int
        bytes_out: int

        async def read(self) -> bytes:
            """What the client sends next, b"" at the end."""

        async def write(self, data: bytes) -> None:
            """Send all of it; nothing is done for b""."""

        async def sleep(self, seconds: float) -> None:
            """Hold the client up."""

        async def close(self, data: bytes, linger: bool) -> None:
            """Send the last words; raises nothing.

            linger  the client may still be sending, and must be able to read them all the same
            """

    class Queue(Protocol):
        """One queue program at a time."""

        number: int

        async def open(self) -> None:
            """Start it; OSError when that cannot be."""

        async def write(self, data: bytes) -> None: ...

        async def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome: ...

        async def abort(self) -> None:
            """End the one that runs, if one does, with nothing queued."""
