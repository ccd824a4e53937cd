"""A session that never was: the policy of qsmtpd, its checks and its look-ups, asked as a client's session would ask them."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from qsmtpd import replies
from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.dotstuff import HopCounter
from qsmtpd.headersection import HeaderSection
from qsmtpd.policy import Policy
from qsmtpd.qmail import env
from qsmtpd.qmail.control import ControlError
from qsmtpd.qmail.env import Peer
from qsmtpd.replies import Reply
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.vocabulary import CONTENT
from qsmtpd.ruling import Ruled, Verdict
from qsmtpd.transaction import Disposal, Transaction

from .onlooker import Onlooker
from .othercontrol import OtherControl
from .preset import preset
from .stopwatch import Stopwatch, TimedConfig
from .witness import Reading, Witness

T = TypeVar("T")


class Client(NamedTuple):
    """Who comes: address and name (None: as under tcpserver -H), and what it says in HELO (None: nothing)."""

    ip: bytes
    ptr: bytes | None
    helo: bytes | None


@dataclass
class Step:
    """What was said, and what follows.

    stage     "connect", "helo", "mail", "rcpt", "header", "message" or "content"
    about     what the client has said; for the client itself its address
    readings  of the rules
    reply     None where nothing is said
    rule      that decided it, or what safety looked at
    delay     seconds before the reply
    notes     what the log would have, and what else there is to know
    ms        that it took
    """

    stage: str
    about: bytes
    readings: list[Reading] = field(default_factory=list)
    reply: Reply | None = None
    rule: str | None = None
    delay: float = 0.0
    notes: list[str] = field(default_factory=list)
    ms: float = 0.0


class Rehearsal:
    """One session; step by step, until it is over.

    steps  that were taken
    over   the client has been sent away
    """

    def __init__(self, client: Client, rules: str | None, tags: list[str]) -> None:
        """The environment is that of this process.

        rules  another file in place of control/rules
        tags   NAME=VALUE: see preset()

        Raises:
            ControlError: what has to be read before the greeting cannot be.
            MistakeError: a tag makes no sense.
        """
        self.client = client
        self.steps: list[Step] = []
        self.over = False
        watch = Stopwatch()
        control = OtherControl(env.control_directory(), rules=rules)
        self.config = TimedConfig(control)
        self.config.watch = watch
        lookups = Onlooker(control, env.qmail_home(), now=time.time(), note=self._lookup)
        lookups.watch = watch
        peer = Peer(client.ip, client.ptr, None, b"unknown", local_ip=env.get("TCPLOCALIP") or b"unknown",
                    port=env.get("TCPREMOTEPORT"), local_port=env.get("TCPLOCALPORT") or b"25")
        self.policy = Policy(self.config, Mail(peer, env.get), lookups, self._log)
        self.policy.knowledge.values.update(preset(tags, self.config.vocabulary))
        self.witness = Witness(self.config.rules, self.policy.mail, self.policy.knowledge, self._log,
                               vocabulary=self.config.vocabulary, watch=watch)
        self.policy.ruling = self.witness

    def connect(self) -> None:
        """The client is there."""
        self._spoken("connect", self.client.ip, self.policy.connect())
        name = self.client.helo
        if name is not None and not self.over:
            self._spoken("helo", name, self.policy.helo(name, True))

    def transaction(self, sender: bytes, recipients: list[bytes], message: bytes | None) -> None:
        """A message is sent; None: the client goes without having sent it."""
        if not self.over:
            step = self._spoken("mail", sender, self.policy.sender(sender, 0, False))
            self.over = self.over or not (step.reply and step.reply.positive)
        for recipient in recipients:
            if not self.over:
                self._spoken("rcpt", recipient, self.policy.recipient(recipient))
        if message is not None and not self.over and self.policy.mail.recipients:
            self._message(message)

    def _message(self, message: bytes) -> None:
        stored = message.replace(b"\r\n", b"\n")
        section = HeaderSection()
        if not section.feed(stored):
            section.finish()
        hops = HopCounter()
        hops.feed(stored)
        transaction = self.policy.transaction
        assert transaction  # for a recipient was accepted
        self._done(Step("data", b""), transaction.for_queue())
        step = Step("header", b"")
        for line in self._done(step, transaction.header(section.text)) or ():
            step.notes.append("adds " + line.decode("ascii", "backslashreplace"))
        step = Step("message", b"")
        disposal = self._done(step, transaction.message(len(stored), hops.hops))
        if disposal is not None:
            self._dispose(step, disposal, transaction)
        self._content()

    def _dispose(self, step: Step, disposal: Disposal, transaction: Transaction) -> None:
        if disposal.verdict is not None:
            step.reply, step.rule = disposal.verdict.reply, disposal.verdict.rule
            self.over = True
            return
        step.notes += ["is held" if transaction.hold else "goes to the queue program"] if disposal.envelope else ["is dropped"]
        step.notes += [f"for {address.decode('ascii', 'backslashreplace')}" for address in disposal.envelope]
        step.notes += [f"{verb} for {address.decode('ascii', 'backslashreplace')} by rule {rule}"
                       for address, verb, rule in disposal.aside]

    def _content(self) -> None:
        """What qqshim will say where it reads the rules, given what is known of the content: by --tag."""
        if self.over or not self.config.rules.words(CONTENT):
            return
        step = Step("content", self.policy.mail.recipient)
        ruled: Ruled | None = self._done(step, self.policy.ruling.at(CONTENT))
        if ruled is not None and ruled.verdict is not None:
            step.reply, step.rule = ruled.verdict.reply, ruled.verdict.rule

    def _spoken(self, stage: str, about: bytes, verdict: Awaitable[Verdict]) -> Step:
        """Something that the client said, and our answer."""
        step = Step(stage, about)
        said = self._done(step, verdict)
        if said is not None:
            step.reply, step.rule, step.delay = said.reply, said.rule, said.delay
            self.over = said.reply.closes
        return step

    def _done(self, step: Step, work: Awaitable[T]) -> T | None:
        """The result, with all that happened in the step; None when a fault of ours ends the session."""
        self.steps.append(step)
        began, first = time.monotonic(), len(self.witness.readings)
        try:
            return complete(work)  # type: ignore[arg-type]  # a coroutine
        except (LookupFailedError, ControlError) as error:
            step.notes.append(f"fault: {error}")
            step.reply, self.over = replies.CONTROLS, True
        finally:
            step.readings = self.witness.readings[first:]
            step.ms = (time.monotonic() - began) * 1000
        return None

    def _lookup(self, why: bytes) -> None:
        self.steps[-1].notes.append("log: lookup: " + why.decode("ascii", "backslashreplace"))

    def _log(self, line: int, text: bytes) -> None:
        self.steps[-1].notes.append(f"log: rule {line}: " + text.decode("ascii", "backslashreplace"))
