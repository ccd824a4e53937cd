"""Who decides what, in which order.  A check has an opinion or none; the first opinion is the reply.

At RCPT existence is looked up first, counted and logged; what is answered is another matter, so that a blocked client learns
nothing.  The order of RCPT_ORDER is from the client to the recipient, cheapest first.
"""

from . import replies
from .address import domain
from .checks.badmailfrom import BadMailFrom
from .checks.base import Mail
from .checks.blocked import Blocked
from .checks.doublebounce import DoubleBounce
from .checks.limits import Tarpit, TooManyInvalid, TooManyRecipients
from .checks.rcpthosts import RcptHosts
from .checks.size import Size
from .checks.validrcpt import ValidRcpt
from .replies import Reply

HOPS_MAX = 100
"""qmail-smtpd's MAXHOPS."""


class Verdict:
    """A reply and what comes with it.

    check  the name of the check that decided, None when none did
    delay  seconds to wait before the reply is sent
    """

    __slots__ = ("check", "delay", "reply")

    def __init__(self, reply: Reply, check: str | None = None, delay: float = 0.0) -> None:
        self.reply = reply
        self.check = check
        self.delay = delay


class Policy:
    """The decisions of one session.

    mail  what is known so far
    """

    def __init__(self, config: "Config", mail: Mail, lookups: "Lookups") -> None:
        self.mail = mail
        self._lookups = lookups
        self._name = config.smtpgreeting
        self._protocol = b"SMTP"
        self._localiphost = config.localiphost
        self._size = Size(config.databytes)
        self._hosts = RcptHosts(config.rcpthosts)
        self._valid = ValidRcpt(config.validrcptto, config.recipients, config.envnoathost)
        self._tarpit = Tarpit(config.tarpitcount, config.tarpitdelay)
        order: tuple[tuple[object, Check], ...] = (
            (mail.blocked, Blocked()),
            (True, DoubleBounce()),
            (config.badmailfrom, BadMailFrom(config.badmailfrom)),
            (True, self._hosts),
            (config.brtlimit, TooManyInvalid(config.brtlimit)),
            (True, self._valid),
            (config.maxrecipients, TooManyRecipients(config.maxrecipients)),
        )
        self._rcpt_order = [check for in_use, check in order if in_use]

    def connect(self) -> Verdict:
        return Verdict(replies.greeting(self._name))

    def helo(self, name: bytes, extended: bool) -> Verdict:
        self.mail.helo = name
        self._protocol = b"ESMTP" if extended else b"SMTP"
        return Verdict(replies.extended_hello(self._name, self._size.advertised) if extended else replies.hello(self._name))

    async def sender(self, address: bytes, size: int, utf8: bool) -> Verdict:
        """MAIL.

        Raises:
            LookupFailedError: an answer is missing: a temporary failure.
        """
        reply = self._size.announced(size)
        if reply:
            return Verdict(reply, self._size.name)
        mail = self.mail
        mail.sender = await self._with_local_host(address) if address.endswith(b"]") else address
        mail.recipients = []
        mail.protocol = b"UTF8SMTP" if utf8 else self._protocol
        return Verdict(replies.MAIL_OK)

    async def recipient(self, address: bytes) -> Verdict:
        """RCPT.

        Raises:
            LookupFailedError: as above.
        """
        mail = self.mail
        mail.recipient = await self._with_local_host(address) if address.endswith(b"]") else address
        mail.host = domain(mail.recipient)
        mail.ours = await self._hosts.has(mail, self._lookups)
        mail.known = await self._valid.knows(mail, self._lookups) if mail.ours else None
        mail.rcpt += 1
        mail.bad += mail.known is False
        verdict = await self._first_opinion()
        if verdict.reply.positive:
            mail.good += 1
            mail.recipients.append(mail.recipient + (mail.relay or b""))
        elif verdict.check == self._valid.name:  # not by existence alone: the time must not tell what the text does not
            verdict.delay = self._tarpit.seconds(mail.bad)
        return verdict

    def message(self, size: int, hops: int) -> Verdict | None:
        """What speaks against a message that is there, before it is queued; None for nothing."""
        if hops >= HOPS_MAX:
            return Verdict(replies.LOOPING, "hops")
        reply = self._size.stored(size)
        return Verdict(reply, self._size.name) if reply else None

    async def _first_opinion(self) -> Verdict:
        for check in self._rcpt_order:
            reply = await check(self.mail, self._lookups)
            if reply:
                return Verdict(reply, check.name)
        return Verdict(replies.RCPT_OK)

    async def _with_local_host(self, address: bytes) -> bytes:
        """box@[one of our addresses] is box@localiphost, before anything else is looked at (qmail-smtpd(8))."""
        host = domain(address)
        if self._localiphost is None or host is None or not host.startswith(b"["):
            return address
        if await self._lookups.is_own_address(host[1:-1]):
            return address[:-len(host)] + self._localiphost
        return address


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from .checks.base import Check, Lookups
    from .checks.validrcpt import RecipientsRule

    class Config(Protocol):
        """What the policy must be told, see the settings of the same names and the checks that they are for."""

        smtpgreeting: bytes
        localiphost: bytes | None
        envnoathost: bytes
        databytes: int
        maxrecipients: int
        brtlimit: int
        tarpitcount: int
        tarpitdelay: int
        badmailfrom: frozenset[bytes]
        rcpthosts: frozenset[bytes] | None
        validrcptto: frozenset[bytes] | None
        recipients: tuple[RecipientsRule, ...] | None
