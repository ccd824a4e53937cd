"""What the rules of the site say of a message: one reading for each recipient, or for all about whom the same is known.

What a session has carried out already is not done twice: rules that need no scanner decide nothing more.
A message that was held before has been accepted long ago: what is not known of its client will never be.  So what would be
deferred for that is refused instead, which is to say that the holding queue puts it into its dead/, and nobody gets a bounce.
"""

from qsmtpd.qmail import env
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.evaluate import read
from qsmtpd.rules.fates import ACCEPT, fate
from qsmtpd.rules.rule import SOFTENED
from qsmtpd.rules.text import fill_line
from qsmtpd.rules.vocabulary import CONTENT
from qsmtpd.rules.wording import NO_QUARANTINE, lists, reasons, wording

from .reply import Reply

HELD = "HOLDQ_RUNNING"
"""Set by holdq run for all that it starts: the message has been held, and must not be again."""


class Judgement:
    """What one reading came to.

    verb     "accept", "refuse", "defer", "close", "quarantine" or "discard"
    rule     the rule that decided; None: the end of the file
    notes    rules that hold and decide nothing
    shadows  rules with "?" that hold
    values   what may stand in braces in their texts
    """

    __slots__ = ("_hopeless", "notes", "rule", "shadows", "values", "verb")

    def __init__(
            self, reading: "Reading", values: "Callable[[Rule], Mapping[str, bytes]]", *, carried_out: bool, held: bool,
    ) -> None:
        rule = reading.rule
        done = carried_out and rule is not None and rule.stage < CONTENT
        self._hopeless = held and rule is not None and reading.verb == "defer" and rule.action.verb in SOFTENED
        self.verb = "accept" if done else "refuse" if self._hopeless else reading.verb
        self.rule = rule
        self.notes = [rule for rule in reading.notes
                      if (rule.stage == CONTENT or not carried_out) and not (held and rule.action.verb == "hold")]
        self.shadows = [rule for rule in reading.shadows if rule.stage == CONTENT or not carried_out]
        self.values = values

    def reply(self) -> Reply:
        """What the client is told when this decides for all."""
        assert self.rule is not None
        if self._hopeless:
            why = f"rule {self.rule.line} holds; whether one above it that accepts does is not known any more"
            return Reply(554, "5.7.1", why)
        said = wording(self.rule, self.verb, CONTENT, self.values(self.rule))
        lines = [line if isinstance(line, str) else line.decode("ascii") for line in said.lines]
        return Reply(said.code, said.status, *lines)

    def filled(self, verb: str) -> "list[tuple[int, bytes]]":
        """Line and text of the rules with this verb that take note."""
        return [(rule.line, fill_line(rule.action.text or "", self.values(rule)))
                for rule in self.notes if rule.action.verb == verb]


class Ruled:
    """What becomes of a message.

    reply       what the client is told; None: it is taken
    rule        the number of the rule that the reply is from; None: of none
    judgements  of each recipient in the order of the envelope; a single one when it is the same for all
    fields      header fields to be put on top, without the end of the line
    logs        line and text of the rules that say "log"
    shadows     the lines of those that would do something
    hold        it is to be held
    quarantine  the address that gets it, too; None: nobody's copy is put aside
    """

    __slots__ = ("fields", "hold", "judgements", "logs", "quarantine", "reply", "rule", "shadows")

    def __init__(self, judgements: list[Judgement], quarantine: bytes | None) -> None:
        """quarantine  where copies are put aside; None: nowhere"""
        self.judgements = judgements
        self.reply: Reply | None = None
        self.rule: int | None = None
        self.quarantine: bytes | None = None
        distinct = list({id(each): each for each in judgements}.values())
        self.fields = list(dict.fromkeys([text for each in distinct for _, text in each.filled("header")]))
        self.logs = [pair for each in distinct for pair in each.filled("log")]
        self.shadows = list(dict.fromkeys([rule.line for each in distinct for rule in each.shadows]))
        self.hold = any(each.filled("hold") for each in distinct)
        self._decide(quarantine)

    def _decide(self, quarantine: bytes | None) -> None:
        came_to = fate([each.verb for each in self.judgements])
        deciding = self.judgements[came_to.first]
        if came_to.reply != ACCEPT:
            assert deciding.rule is not None
            self.reply, self.rule = deciding.reply(), deciding.rule.line
        elif came_to.quarantine and quarantine is None:
            aside = self.judgements[came_to.quarantine[0]].rule
            assert aside is not None
            self.reply = Reply(NO_QUARANTINE.code, NO_QUARANTINE.status, *map(str, NO_QUARANTINE.lines))
            self.rule = aside.line
        elif came_to.quarantine:
            self.quarantine = quarantine


class Ruling:
    """The rules, read for one message."""

    __slots__ = ("_held", "_known", "_mail", "_origin", "_said", "_site")

    def __init__(
            self, site: "Site", origin: "Origin", mail: "Mail", said: "Hearsay", known: "Knowledge", *,
            variable: "Callable[[str], bytes | None]" = env.get,
    ) -> None:
        """variable  gives the value of a variable of the caller's"""
        self._site = site
        self._held = variable(HELD) is not None
        self._origin = origin
        self._mail = mail
        self._said = said
        self._known = known

    def decide(self, quarantine: bytes | None, recipients: "Callable[[], Iterable[bytes]]") -> Ruled:
        """What becomes of the message.

        quarantine  the address that gets what is put aside; None: there is none
        recipients  gives the recipients, when each has to be looked at
        """
        mail = self._mail
        words = self._said.of_recipients(mail.recipients, mail.last, quarantine)
        if self._site.rule_on("not-addressed"):
            words = words * mail.recipients if len(words) == 1 else words
            return Ruled([self._judge(*each) for each in zip(words, recipients(), strict=True)], quarantine)
        if len(words) == 1:
            return Ruled([self._judge(words[0], mail.first)], quarantine)
        alike: dict[int, Judgement] = {}
        for part, recipient in zip(words, recipients(), strict=True):
            if id(part) not in alike:
                alike[id(part)] = self._judge(part, recipient)
        return Ruled([alike[id(part)] for part in words], quarantine)

    def _judge(self, words: "Words", recipient: bytes) -> Judgement:
        known = {**self._known.found(), **self._said.session, **words}

        async def ask(names: tuple[str, ...]) -> None:
            for name in names:
                if name not in known:
                    known[name] = self._known.of(name, recipient)

        def values(rule: "Rule") -> "dict[str, bytes]":
            return self._values(rule, recipient, known)

        reading = complete(read(self._site.rules, CONTENT, known, ask))
        return Judgement(reading, values, carried_out=self._site.carried_out, held=self._held)

    def _values(self, rule: "Rule", recipient: bytes, known: "Words") -> "dict[str, bytes]":
        score = known.get("score")
        return {
            "ip": self._origin.client or b"unknown", "ptr": self._origin.host or b"unknown", "sender": self._mail.sender,
            "rcpt": recipient, "lists": lists(rule, known), "reason": reasons(rule, known, self._known.reasons),
            "score": b"" if score is None else b"%.1f" % score, "rule": b"%d" % rule.line}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qsmtpd.rules.evaluate import Reading
    from qsmtpd.rules.rule import Rule

    from .hearsay import Hearsay, Words
    from .knowledge import Knowledge
    from .origin import Origin
    from .receive import Mail
    from .site import Site

