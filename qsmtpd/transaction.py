"""A transaction with recipients: who they are, and what becomes of the message when it is there.

Apart from policy.py because most sessions of a busy server never have one: it is imported when a recipient is accepted.
"""

from . import replies
from .checks import size as sizes
from .rules.vocabulary import CONNECT, CONTENT, HELO, MAIL, MESSAGE, RCPT
from .ruling import Verdict

HOPS_MAX = 100
"""qmail-smtpd's MAXHOPS."""

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


class Transaction:
    """From the first recipient that is accepted on.

    hold  a rule wants the message held
    """

    __slots__ = ("_accepted", "_config", "_fields", "_knowledge", "_lookups", "_mail", "_ruling", "hold")

    def __init__(self, config: "Config", mail: "Mail", knowledge: "Knowledge", ruling: "Ruling", lookups: "Lookups") -> None:
        self._config = config
        self._mail = mail
        self._knowledge = knowledge
        self._ruling = ruling
        self._lookups = lookups
        self._accepted: list[Accepted] = []
        self._fields: dict[bytes, None] = {}
        self.hold = False

    def accept(self, ruled: "Ruled") -> None:
        """The recipient in hand gets the message, as far as RCPT can say."""
        mail = self._mail
        recipient = Accepted(mail, self._knowledge.learned(RCPT))
        if self._accepted:
            recipient.share(self._accepted[-1])
        mail.recipients.append(recipient.envelope)
        self._accepted.append(recipient)
        self._fields.update(dict.fromkeys(ruled.fields))
        self.hold = self.hold or ruled.hold

    async def for_queue(self) -> dict[bytes, bytes]:
        """What a queue program that reads the rules too (qqshim) is told in its environment: QQTAGS, or nothing.

        Words of the session, then for each recipient those of its own (rules/told.py).
        """
        content = self._config.rules.words(CONTENT)
        if not content:
            return {}
        from .rules.told import told  # noqa: PLC0415 - who has no rules about the content tells nothing

        vocabulary, knowledge = self._config.vocabulary, self._knowledge
        names = tuple([
            name for name in content
            if vocabulary[name].stage <= RCPT and vocabulary[name].check not in LEAVES_TRACES])
        for recipient in self._accepted:
            self._take_in_hand(recipient)
            await knowledge.ask_all(names)
            recipient.known = knowledge.learned(RCPT)
        session = knowledge.learned(CONNECT) | knowledge.learned(HELO) | knowledge.learned(MAIL)
        return {b"QQTAGS": told(session, [recipient.known for recipient in self._accepted])}

    async def header(self, text: bytes) -> list[bytes]:
        """The header of the message is there; returns the fields to put before it, without the end of the line.

        A rule that asks for the size or the hops adds no field: they are only known when the message has ended.
        """
        mail = self._mail
        mail.header = text
        mail.size = mail.hops = None
        if self._config.rules.fields(MESSAGE):
            for recipient in self._accepted:
                self._take_in_hand(recipient)
                self._fields.update(dict.fromkeys((await self._ruling.at(MESSAGE)).fields))
            self._knowledge.drop(MESSAGE, ("size", "hops"))
        return list(self._fields)

    async def message(self, size: int, hops: int) -> Disposal:
        """The message is there: what becomes of it.

        size, hops  see dotstuff.EndOfData
        """
        if hops >= HOPS_MAX:
            return Disposal(Verdict(replies.LOOPING, "hops"))
        reply = sizes.stored(size, self._config.databytes)
        if reply:
            return Disposal(Verdict(reply, sizes.NAME))
        from .rules.fates import ACCEPT, fate  # noqa: PLC0415 - many a transaction never gets so far

        self._mail.size, self._mail.hops = size, hops
        ruled = []
        for recipient in self._accepted:
            self._take_in_hand(recipient)
            ruled.append(await self._ruling.at(MESSAGE))
        result = fate([each.verb for each in ruled])
        if result.reply != ACCEPT:
            return Disposal(ruled[result.first].verdict)
        disposal = Disposal(None)
        disposal.envelope = [self._accepted[number].envelope for number in result.deliver]
        disposal.aside = [
            (recipient.recipient, each.verb, each.rule)
            for recipient, each in zip(self._accepted, ruled, strict=True) if each.verb != "accept"]
        return self._with_quarantine(disposal) if result.quarantine else disposal

    def _with_quarantine(self, disposal: Disposal) -> Disposal:
        if not self._config.quarantineto:
            from .answers import no_quarantine  # noqa: PLC0415 - as above

            self._lookups.note(b"quarantine: control/quarantineto says no address")
            return Disposal(Verdict(no_quarantine(), "quarantine"))
        disposal.envelope.append(self._config.quarantineto)
        return disposal

    def _take_in_hand(self, recipient: Accepted) -> None:
        """Words about a recipient have the values again that they had at its RCPT."""
        mail = self._mail
        mail.recipient, mail.host, mail.known, mail.ours = recipient.recipient, recipient.host, recipient.exists, True
        self._knowledge.restore(recipient.known)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .checks.base import Lookups, Mail
    from .knowledge import Knowledge
    from .policy import Config
    from .ruling import Ruled, Ruling
