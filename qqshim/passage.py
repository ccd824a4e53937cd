"""The passage of one message, from the settings to the next queue program: the same in the program that lives for one message
and in the service that has many at once (main.py, service.py).

The order matters.  Settings come before the message, so that a wrong one costs nobody a transfer.  Message and envelope are
read whole before anything is decided: without the final NUL the caller gave up.
Whatever may have to wait is awaited, and is a method of who has the passage: in the program it blocks, and never suspends.
"""

import os
import time
from abc import ABC, abstractmethod

from qsmtpd.qmail.exitcodes import CONFIGURATION, QUEUED, READ_ERROR

from . import certificate, channel, config, digest, handon, header, scanners
from .faults import ShimError, exit_code, explanation
from .origin import NOBODY
from .receive import AT_ONCE, receive
from .verdict import decide


class Setup:
    """What control files and variables say.

    asked      the scanners
    reject     the score from which a message is refused, None: never
    key, complaint  of the certificates: see config.verdict_key()
    directory  where large messages are
    quarantine, program, holding  see config.py
    """

    __slots__ = ("asked", "complaint", "directory", "holding", "key", "program", "quarantine", "reject")

    def __init__(self, control: "Control") -> None:
        """Raises ControlError: something makes no sense, or cannot be read."""
        settings = config.settings(control)
        self.asked = scanners.configured(settings)
        self.reject = config.reject_score(settings)
        self.key, self.complaint = config.verdict_key(control)
        self.directory = config.spool_directory(settings)
        self.quarantine = config.quarantine(settings)
        self.program = config.next_program(settings)
        self.holding = config.hold_program(settings)


class Passage(ABC):
    """Of one message; made complete by who knows how to wait.

    control  the control files, and the variables of the caller
    pid      the process that he has started, by which he calls the message
    """

    def __init__(self, control: "Control", found: "channel.Channel | None", pid: int) -> None:
        self.control = control
        self.pid = pid
        self.origin = NOBODY
        self._channel = found
        self._started = time.monotonic()

    async def run(self) -> int:
        """Take the message and pass it on, or say why not; returns what the caller is to see as the exit code.

        Raises:
            ShimError, ControlError, EnvelopeError: nothing is queued; to be given to failed().
        """
        self.origin = self.recognize()
        if self.is_loop():
            raise ShimError(CONFIGURATION, "qqnext leads back to qqshim")
        setup = self.setup()
        site = None if self.origin.session and self.origin.told is None else self.site()
        mail = await receive(self.read, self.work, setup.directory, site.fields() if site else ())
        try:
            return await self._judge(mail, setup, site)
        finally:
            await self.work(not mail.message.has_room(0), mail.close)

    def failed(self, error: BaseException) -> int:
        """Tell the log what went wrong; returns the exit code."""
        code = exit_code(error)
        self._log(b"aborted" if code == READ_ERROR else b"failed", ("code", code), ("why", explanation(error)))
        return code

    # What the program and the service do each in their own way

    @abstractmethod
    def recognize(self) -> "Origin":
        """Who calls.

        Raises:
            ControlError: the file that says who is a server cannot be read.
        """

    @abstractmethod
    def is_loop(self) -> bool:
        """The caller's process was started as the next program of a message that is on its way through us."""

    @abstractmethod
    def setup(self) -> Setup:
        """The settings; errors as of Setup()."""

    @abstractmethod
    def site(self) -> "Site | None":
        """The rules of the site; None: it has none.  Errors as of Site()."""

    @abstractmethod
    async def read(self, number: int) -> bytes:
        """The next piece of a descriptor of the caller's, b"" at its end.

        Raises:
            ShimError: it cannot be read.
        """

    @abstractmethod
    async def work(self, long: bool, function: "Callable[..., T]", *arguments: object) -> "T":
        """What the function returns or raises; long: it may have to wait for a disk, or takes its time."""

    @abstractmethod
    async def pause(self) -> None:
        """Let others go on who wait for us."""

    @abstractmethod
    def connection(self, where: "Address", seconds: float) -> "Connection":
        """A connection to a scanner, to be opened."""

    def channel(self) -> "channel.Channel | None":
        """Where words can be said now."""
        return self._channel

    @abstractmethod
    def prepare(self, message: "Spool", envelope: "Spool") -> None:
        """Make ready what the next program finds on descriptors 0 and 1; both are closed then."""

    @abstractmethod
    async def hand_on(self, program: str, begun: "Callable[[int | None], None]") -> int:
        """Let the next program have the message; returns its exit code.

        begun  to be called when it begins, with its process id if that is not ours

        Raises:
            ShimError: it cannot be executed.
        """

    @abstractmethod
    def note(self, event: str, pairs: "Facts") -> None:
        """Write a line to the log."""

    def cpu_ms(self) -> int | None:
        """Processor time so far, where it is that of this message."""
        return None

    # The way

    async def _judge(self, mail: "Mail", setup: Setup, site: "Site | None") -> int:
        findings = await scanners.scan(mail.message, setup.asked, self.connection)
        verdict = decide(findings, setup.reject, virus_is_ruled=site is not None and site.rule_on("virus"))
        facts = _facts(mail, verdict)
        if verdict.reply is not None:
            return self._refuse(verdict.reply, facts)
        fields, program = certificate.field(self._certificate(mail, verdict), setup.key), setup.program
        if site is not None:
            ruled, left = await self._rule(mail, setup, site, findings)
            facts += (("rule", ruled.rule), ("shadow", ",".join(map(str, ruled.shadows)).encode() or None))
            if ruled.reply is not None:
                return self._refuse(ruled.reply, facts)
            if not left:
                self._log(b"discarded", *facts)
                channel.tell_score(self.channel(), verdict.score)
                return QUEUED
            fields += b"".join([field + b"\n" for field in ruled.fields])
            program = setup.holding if ruled.hold else program
        whole = await self.work(
            not mail.message.has_room(len(fields)), handon.assemble, mail, fields, setup.directory)
        self.prepare(whole, mail.envelope)
        whole.close()
        await self.work(not mail.message.has_room(0), mail.close)
        channel.tell_score(self.channel(), verdict.score)

        def begun(pid: int | None) -> None:
            self._log(b"handed on", *facts, ("next", os.fsencode(program)), ("next-qp", pid),
                      ("key", setup.complaint.encode() or None))
        return await self.hand_on(program, begun)

    async def _rule(
            self, mail: "Mail", setup: Setup, site: "Site", findings: "Sequence[Finding]") -> "tuple[Ruled, int]":
        """What the rules come to, and how many recipients are left; there are many of these, or a long header, at times."""
        from .stage import LONG_HEADER, MANY, Stage  # noqa: PLC0415 - only for who has rules

        stage = Stage(site, self.origin, mail, self.control.variable)
        ruled, left = await self.work(
            mail.recipients > MANY or mail.body > LONG_HEADER, stage.carry_out, findings, setup.quarantine, setup.directory)
        while stage.lines:
            for line in stage.lines[:MANY]:
                self.note(*line)
            del stage.lines[:MANY]
            await self.pause()
        return ruled, left

    def _refuse(self, reply: "Reply", facts: "Facts") -> int:
        """Returns what to exit with."""
        self._log(b"refused" if reply.permanent else b"deferred", *facts)
        return channel.refuse(self.channel(), reply)

    def _log(self, verdict: bytes, *pairs: "tuple[str, bytes | int | None]") -> None:
        """Write the line of this message."""
        milliseconds = int((time.monotonic() - self._started) * 1000)
        self.note("message", (
            ("ip", self.origin.client), *pairs, ("verdict", verdict), ("ms", milliseconds), ("cpu-ms", self.cpu_ms())))

    def _certificate(self, mail: "Mail", verdict: "Verdict") -> certificate.Certificate:
        message_id = header.find(mail.message.read(0, AT_ONCE), b"Message-ID")
        return certificate.Certificate(
            time=int(time.time()), verdict=verdict.action, tags=verdict.tags,
            score=None if verdict.score is None else round(verdict.score * 10), recipients=mail.recipients,
            client=self.origin.client, relay=self.origin.relay, sender=digest.of_name(mail.sender),
            message_id=None if message_id is None else digest.of_name(message_id))


def _facts(mail: "Mail", verdict: "Verdict") -> "Facts":
    score = None if verdict.score is None else f"{verdict.score:.1f}".encode()
    return (
        ("from", mail.sender), ("rcpts", mail.recipients), ("size", mail.message.size),
        ("digest", digest.of_text(mail.message.read(mail.body, digest.TEXT_READ))), ("score", score), ("virus", verdict.virus),
        ("tags", ",".join(verdict.tags).encode() or None), ("symbols", verdict.symbols), ("why", verdict.why or None))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeVar

    from qsmtpd.qmail.control import Control

    from .connection import Address, Connection
    from .origin import Origin
    from .receive import Mail
    from .reply import Reply
    from .ruling import Ruled
    from .scanners.base import Finding
    from .site import Site
    from .spool import Spool
    from .verdict import Verdict

    T = TypeVar("T")
    Facts = tuple[tuple[str, bytes | int | None], ...]

    class Work(Protocol):
        """See Passage.work()."""

        async def __call__(self, long: bool, function: Callable[..., T], *arguments: object) -> T: ...
