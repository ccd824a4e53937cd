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
from .rules.vocabulary import CONNECT, HELO, MAIL, RCPT
from .ruling import NOTHING, Ruled, Ruling, Verdict

ACCEPTED = Verdict(replies.RCPT_OK)
NOT_OURS = Verdict(replies.NO_GATEWAY, "rcpthosts")
NOBODY = Verdict(replies.NO_MAILBOX, "validrcpt")

DOUBLE_BOUNCE = b"#@[]"
"""What qmail-send makes for double bounces and drops what comes back for it: under it nobody would get a bounce."""


class Policy:
    """What a session is answered.

    mail         what is known so far
    knowledge    of the words of the rules
    ruling       what the rules say of it
    transaction  of the message to come, None while no recipient of it was accepted
    """

    __slots__ = ("_config", "_lookups", "_protocol", "_tarpit", "knowledge", "mail", "ruling", "transaction")

    def __init__(self, config: "Config", mail: "Mail", lookups: "Lookups", log: "Log", trace: "Trace | None" = None) -> None:
        """log  is given the line number and the text of each rule that says "log"; trace  see rules.evaluate.read()."""
        self.mail = mail
        self.knowledge = Knowledge(mail, lookups, config.vocabulary, config, config.check)
        self.ruling = Ruling(config.rules, mail, self.knowledge, log, trace)
        self.transaction: Transaction | None = None
        self._config = config
        self._lookups = lookups
        self._protocol = b"SMTP"
        self._tarpit = Tarpit(config.tarpitcount, config.tarpitdelay)

    async def connect(self) -> Verdict:
        """The greeting, or what a rule says instead of it."""
        verdict = await self._ruled(CONNECT, self._config.replies.greeting)
        delay = abs(self._config.greetdelay)
        return verdict.after(delay) if delay and "earlytalk" not in self.knowledge.values else verdict

    async def helo(self, name: bytes, extended: bool) -> Verdict:
        """HELO or EHLO."""
        self.knowledge.forget(HELO)
        self.ruling.begin()
        self.mail.helo, self.mail.sender = name, None
        self._protocol = b"ESMTP" if extended else b"SMTP"
        ours = self._config.replies
        return await self._ruled(HELO, ours.extended_hello if extended else ours.hello)

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
        self.transaction = None
        sender = await self._with_local_host(address) if address.endswith(b"]") else address
        self.mail.begin(sender, b"UTF8SMTP" if utf8 else self._protocol)
        self.knowledge.begin(self._config.rules.counted(COUNTS))
        return await self._ruled(MAIL, replies.MAIL_OK)

    async def recipient(self, address: bytes) -> Verdict:
        """RCPT.

        Raises:
            LookupFailedError: as above.
        """
        mail = self.mail
        mail.recipient = await self._with_local_host(address) if address.endswith(b"]") else address
        host = domain(mail.recipient)
        if host != mail.host:
            mail.ours = self._config.hosts.has(host, mail.relay, self._lookups)
            mail.host = host
        mail.known = None
        if mail.ours and mail.relay is None:
            mail.known = await self._config.valid.knows(mail.recipient, self._lookups)
            if mail.known is not False and self._config.rcptcheck is not None:
                mail.known = await self._checked(self._config.rcptcheck)
        mail.rcpt += 1
        if mail.known is False:
            mail.bad += 1
        self.knowledge.count()
        ruled = NOTHING if self.ruling.silent() else await self.ruling.at(RCPT)
        verdict = ruled.verdict or self._unsafe()
        if verdict is None and self._config.rcptcallout is not None:
            verdict = await self._unverified(self._config.rcptcallout)
        pause = ruled.pause
        if verdict is None:
            self._accept(ruled)
            verdict = ACCEPTED
        elif verdict is NOBODY and 0 < self._tarpit.count < mail.bad:  # the time must not tell what the text of a rule does not
            pause += self._tarpit.delay
        return verdict.after(self._tarpit.take(pause)) if pause else verdict

    def end(self) -> None:
        """Nobody says anything more: whoever takes his time to go keeps no recipients in our memory (A31)."""
        self.transaction = None
        self.mail.recipients = []

    async def _ruled(self, stage: int, reply: "Reply") -> Verdict:
        ruled: Ruled = await self.ruling.at(stage)
        verdict = ruled.verdict or Verdict(reply)
        return verdict.after(self._tarpit.take(ruled.pause)) if ruled.pause else verdict

    async def _checked(self, ask: "AsksRecipient") -> bool | None:
        """Whether the recipient in hand exists, by what is known and the site's program."""
        answer = await ask(self.mail, self._lookups)
        return self.mail.known if answer is None else answer

    def _unsafe(self) -> Verdict | None:
        """What no rule can admit."""
        mail = self.mail
        if mail.sender == DOUBLE_BOUNCE and mail.relay is None:
            return Verdict(replies.DOUBLE_BOUNCE, "doublebounce")
        if not mail.ours:
            return NOT_OURS
        if mail.known is False:
            return NOBODY
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
        if self.transaction is None:
            self.transaction = self._begun()
        self.mail.good += 1
        self.transaction.accept(ruled)

    def _begun(self) -> "Transaction":
        from .transaction import Transaction  # noqa: PLC0415 - most sessions of a busy server never get so far

        return Transaction(self._config, self.mail, self.knowledge, self.ruling, self._lookups)

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
    from .replies import OfSite, Reply
    from .rules.evaluate import Trace
    from .rules.rule import Rules
    from .rules.vocabulary import Term
    from .ruling import Log
    from .transaction import Transaction

    AsksRecipient = Callable[[Mail, Lookups], Awaitable[bool | None]]

    class Config(Limits, Protocol):
        """What the policy must be told, see the settings of the same names and the checks that they are for."""

        replies: OfSite
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
