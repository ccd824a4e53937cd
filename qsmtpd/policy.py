"""The decisions of one session: safety, and the rules of the site (docs/rules.md).

At RCPT existence is looked up first, counted and logged; then the rules are read; what they do not decide, safety does.  So a
blocked client cannot tell who exists, and no rule admits what safety refuses.
"""

from . import replies
from .address import domain
from .checks import size as sizes
from .checks.base import LookupFailedError
from .checks.counts import COUNTS
from .checks.limits import Tarpit
from .knowledge import Knowledge
from .rules.vocabulary import CONNECT, CONTENT, HELO, MAIL, MESSAGE, RCPT
from .rules.words import told
from .ruling import Ruled, Ruling, Verdict

HOPS_MAX = 100
"""qmail-smtpd's MAXHOPS."""
DOUBLE_BOUNCE = b"#@[]"
"""What qmail-send makes for double bounces and drops what comes back for it: under it nobody would get a bounce."""

LEAVES_TRACES = ("greylist", "rate")
"""The checks that remember that they were asked: they are for the rules of the session alone."""


class Accepted:
    """A recipient who was accepted, as it is known again when the message is there.

    envelope  its address for the queue program
    known     what was learned of it at RCPT
    """

    __slots__ = ("envelope", "exists", "host", "known", "recipient")

    def __init__(self, mail: "Mail", known: "Mapping[str, bool | float | None]") -> None:
        self.recipient = mail.recipient
        self.host = mail.host
        self.exists = mail.known
        self.envelope = mail.recipient + (mail.relay or b"")
        self.known = known

    def share(self, before: "Accepted") -> None:
        """Take from the one before what is equal: of hundreds of recipients only the addresses differ."""
        if self.known == before.known:
            self.known = before.known
        if self.host == before.host:
            self.host = before.host


class Disposal:
    """What becomes of a message.

    verdict   what speaks against it; None for nothing
    envelope  who gets it; nobody, when it was discarded for all
    aside     recipients who do not: address, verb and number of the rule
    """

    __slots__ = ("aside", "envelope", "verdict")

    def __init__(self, verdict: Verdict | None) -> None:
        self.verdict = verdict
        self.envelope: list[bytes] = []
        self.aside: list[tuple[bytes, str, str]] = []


class Policy:
    """What a session is answered.

    mail       what is known so far
    knowledge  of the words of the rules
    ruling     what the rules say of it
    fields     header fields that the rules add to the message in hand, without the end of the line
    hold       a rule wants the message in hand held
    """

    __slots__ = (
        "_accepted", "_config", "_counted", "_lookups", "_protocol", "_tarpit", "fields", "hold", "knowledge", "mail", "ruling")

    def __init__(self, config: "Config", mail: "Mail", lookups: "Lookups", log: "Log", trace: "Trace | None" = None) -> None:
        """log  is given the line number and the text of each rule that says "log"; trace  see rules.evaluate.read()."""
        self.mail = mail
        self.knowledge = Knowledge(mail, lookups, config.vocabulary, config, config.check)
        self.ruling = Ruling(config.rules, mail, self.knowledge, log, trace)
        self.fields: dict[bytes, None]
        self.hold: bool
        self._accepted: list[Accepted]
        self._config = config
        self._lookups = lookups
        self._protocol = b"SMTP"
        self._tarpit = Tarpit(config.tarpitcount, config.tarpitdelay)
        self._counted: tuple[str, ...] = ()

    async def connect(self) -> Verdict:
        """The greeting, or what a rule says instead of it."""
        verdict = await self._ruled(CONNECT, replies.greeting(self._config.smtpgreeting))
        if "earlytalk" not in self.knowledge.values:
            verdict.delay += abs(self._config.greetdelay)
        return verdict

    async def helo(self, name: bytes, extended: bool) -> Verdict:
        """HELO or EHLO."""
        self.knowledge.forget(HELO)
        self.ruling.begin()
        self.mail.helo, self.mail.sender = name, None
        self._protocol = b"ESMTP" if extended else b"SMTP"
        ours, advertised = self._config.smtpgreeting, sizes.advertised(self._config.databytes)
        return await self._ruled(HELO, replies.extended_hello(ours, advertised) if extended else replies.hello(ours))

    async def sender(self, address: bytes, size: int, utf8: bool) -> Verdict:
        """MAIL.

        Raises:
            LookupFailedError: what safety asks has no answer: a temporary failure.
        """
        reply = sizes.announced(size, self._config.databytes)
        if reply:
            return Verdict(reply, sizes.NAME)
        self.knowledge.forget(MAIL)
        self.ruling.begin()
        self._accepted, self.fields, self.hold = [], {}, False
        self._counted = self._config.rules.counted(COUNTS)
        sender = await self._with_local_host(address) if address.endswith(b"]") else address
        self.mail.begin(sender, b"UTF8SMTP" if utf8 else self._protocol)
        return await self._ruled(MAIL, replies.MAIL_OK)

    async def recipient(self, address: bytes) -> Verdict:
        """RCPT.

        Raises:
            LookupFailedError: as above.
        """
        mail = self.mail
        self.knowledge.forget(RCPT)
        mail.recipient = await self._with_local_host(address) if address.endswith(b"]") else address
        mail.host = domain(mail.recipient)
        mail.ours = self._config.hosts.has(mail.host, mail.relay, self._lookups)
        mail.known = await self._exists()
        mail.rcpt += 1
        mail.bad += mail.known is False
        self.knowledge.count(self._counted)
        ruled = await self.ruling.at(RCPT)
        verdict = ruled.verdict or self._unsafe()
        if verdict is None and self._config.rcptcallout is not None:
            verdict = await self._unverified(self._config.rcptcallout)
        pause = ruled.pause
        if verdict is None:
            self._accept(ruled)
            verdict = Verdict(replies.RCPT_OK)
        elif verdict.rule == "validrcpt":  # not by existence alone: the time must not tell what the text does not
            pause += self._tarpit.for_invalid(mail.bad)
        if pause:
            verdict.delay = self._tarpit.take(pause)
        return verdict

    async def for_queue(self) -> dict[bytes, bytes]:
        """What a queue program that reads the rules too (qqshim) is told in its environment: QQTAGS, or nothing.

        Words of the session, then for each recipient those of its own (rules/words.py).
        """
        vocabulary = self._config.vocabulary
        names = tuple([
            name for name in self._config.rules.words(CONTENT)
            if vocabulary[name].stage <= RCPT and vocabulary[name].check not in LEAVES_TRACES])
        if not self._config.rules.words(CONTENT):
            return {}
        for recipient in self._accepted:
            self._take_in_hand(recipient)
            await self.knowledge.ask_all(names)
            recipient.known = self.knowledge.learned(RCPT)
        session = self.knowledge.learned(CONNECT) | self.knowledge.learned(HELO) | self.knowledge.learned(MAIL)
        return {b"QQTAGS": told(session, [recipient.known for recipient in self._accepted])}

    async def header(self, text: bytes) -> list[bytes]:
        """The header of the message in hand is there; returns the fields to put before it.

        A rule that asks for the size or the hops adds no field: they are only known when the message has ended.
        """
        mail = self.mail
        mail.header = text
        mail.size = mail.hops = None
        if self._config.rules.fields(MESSAGE):
            for recipient in self._accepted:
                self._take_in_hand(recipient)
                self.fields.update(dict.fromkeys((await self.ruling.at(MESSAGE)).fields))
            self.knowledge.drop(MESSAGE, ("size", "hops"))
        return list(self.fields)

    async def message(self, size: int, hops: int) -> Disposal:
        """The message is there: what becomes of it."""
        if hops >= HOPS_MAX:
            return Disposal(Verdict(replies.LOOPING, "hops"))
        reply = sizes.stored(size, self._config.databytes)
        if reply:
            return Disposal(Verdict(reply, sizes.NAME))
        from .answers import no_quarantine  # noqa: PLC0415 - most sessions of a busy server never get so far
        from .rules.fates import ACCEPT, fate  # noqa: PLC0415

        self.mail.size, self.mail.hops = size, hops
        ruled = []
        for recipient in self._accepted:
            self._take_in_hand(recipient)
            ruled.append(await self.ruling.at(MESSAGE))
        result = fate([each.verb for each in ruled])
        if result.reply != ACCEPT:
            return Disposal(ruled[result.first].verdict)
        disposal = Disposal(None)
        disposal.envelope = [self._accepted[number].envelope for number in result.deliver]
        disposal.aside = [
            (recipient.recipient, each.verb, each.rule)
            for recipient, each in zip(self._accepted, ruled, strict=True) if each.verb != "accept"]
        if result.quarantine:
            if not self._config.quarantineto:
                self._lookups.note(b"quarantine: control/quarantineto says no address")
                return Disposal(Verdict(no_quarantine(), "quarantine"))
            disposal.envelope.append(self._config.quarantineto)
        return disposal

    def end(self) -> None:
        """Nobody says anything more: whoever takes his time to go keeps no recipients in our memory (A31)."""
        self._accepted = []
        self.mail.recipients = []

    async def _ruled(self, stage: int, reply: "Reply") -> Verdict:
        ruled: Ruled = await self.ruling.at(stage)
        verdict = ruled.verdict or Verdict(reply)
        if ruled.pause:
            verdict.delay = self._tarpit.take(ruled.pause)
        return verdict

    async def _exists(self) -> bool | None:
        """Whether the recipient in hand does; None when nobody was asked."""
        mail = self.mail
        if mail.relay is not None or not mail.ours:
            return None
        known = await self._config.valid.knows(mail.recipient, self._lookups)
        if known is not False and self._config.rcptcheck is not None:
            answer = await self._config.rcptcheck(mail, self._lookups)
            return known if answer is None else answer
        return known

    def _unsafe(self) -> Verdict | None:
        """What no rule can admit."""
        mail = self.mail
        if mail.sender == DOUBLE_BOUNCE and mail.relay is None:
            return Verdict(replies.DOUBLE_BOUNCE, "doublebounce")
        if not mail.ours:
            return Verdict(replies.NO_GATEWAY, "rcpthosts")
        if mail.known is False:
            return Verdict(replies.NO_MAILBOX, "validrcpt")
        return None

    async def _unverified(self, ask: "AsksRecipient") -> Verdict | None:
        """What the next hop says, where it is to be asked: the last of all questions, for it costs somebody else."""
        mail = self.mail
        if mail.relay is not None:
            return None
        try:
            known = await ask(mail, self._lookups)
        except LookupFailedError as error:
            self._lookups.note(b"callout: %b" % str(error).encode("ascii", "replace"))
            return Verdict(replies.UNVERIFIED, "callout")
        if known is not False:
            return None
        mail.known = False
        mail.bad += 1
        return Verdict(replies.NO_MAILBOX, "callout")

    def _accept(self, ruled: Ruled) -> None:
        mail = self.mail
        recipient = Accepted(mail, self.knowledge.learned(RCPT))
        if self._accepted:
            recipient.share(self._accepted[-1])
        mail.good += 1
        mail.recipients.append(recipient.envelope)
        self._accepted.append(recipient)
        self.fields.update(dict.fromkeys(ruled.fields))
        self.hold = self.hold or ruled.hold

    def _take_in_hand(self, recipient: Accepted) -> None:
        """Words about a recipient have the values again that they had at its RCPT."""
        mail = self.mail
        mail.recipient, mail.host, mail.known, mail.ours = recipient.recipient, recipient.host, recipient.exists, True
        self.knowledge.restore(recipient.known)

    async def _with_local_host(self, address: bytes) -> bytes:
        """box@[one of our addresses] is box@localiphost, before anything else is looked at (qmail-smtpd(8))."""
        host = domain(address)
        if self._config.localiphost is None or host is None or not host.startswith(b"["):
            return address
        if await self._lookups.is_own_address(host[1:-1]):
            return address[:-len(host)] + self._config.localiphost
        return address


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Protocol

    from .checks.base import Check, Hosts, Lookups, Mail, Valid
    from .checks.counts import Limits
    from .replies import Reply
    from .rules.evaluate import Trace
    from .rules.rule import Rules
    from .rules.vocabulary import Term
    from .ruling import Log

    AsksRecipient = Callable[[Mail, Lookups], Awaitable[bool | None]]

    class Config(Limits, Protocol):
        """What the policy must be told, see the settings of the same names and the checks that they are for."""

        smtpgreeting: bytes
        localiphost: bytes | None
        databytes: int
        tarpitcount: int
        tarpitdelay: int
        quarantineto: bytes | None
        rules: Rules
        vocabulary: Mapping[str, Term]
        rcptcheck: AsksRecipient | None
        rcptcallout: AsksRecipient | None

        @property
        def hosts(self) -> Hosts: ...

        @property
        def valid(self) -> Valid: ...

        def check(self, name: str) -> Check: ...
