"""What the rules of the site say at a stage of the session, as a reply to speak and things to do."""

from .replies import Reply
from .rules.evaluate import none_holds, only_words, read_some, still_open
from .rules.vocabulary import RCPT


class Verdict:
    """A reply and what comes with it; it does not change, so those without a text of their own are made once.

    rule   the number of the rule that decided, or the name of what safety looked at; None when nobody objects
    delay  seconds to wait before the reply is sent
    """

    __slots__ = ("delay", "reply", "rule")

    def __init__(self, reply: Reply, rule: str | None = None, delay: float = 0.0) -> None:
        self.reply = reply
        self.rule = rule
        self.delay = delay

    def after(self, seconds: float) -> "Verdict":
        """The same, so much later."""
        return Verdict(self.reply, self.rule, self.delay + seconds)


class Ruled:
    """What a reading came to.

    verb     "accept", "refuse", "defer", "close", "quarantine" or "discard"
    rule     the number of the rule that decided, "" for none
    verdict  what is to be said now; None when nothing is: no rule objects, or it speaks later
    pause    seconds, by "tarpit"
    fields   header fields to add, without the end of the line
    hold     the message is to be held
    """

    __slots__ = ("fields", "hold", "pause", "rule", "verb", "verdict")

    def __init__(self, verb: str, rule: str, verdict: Verdict | None) -> None:
        self.verb = verb
        self.rule = rule
        self.verdict = verdict
        self.pause = 0.0
        self.fields: list[bytes] = []
        self.hold = False


NOTHING = Ruled("accept", "", None)


class Ruling:
    """The rules, and what is known of the session that they are read for.

    shadows  line: how often its rule would have acted
    """

    __slots__ = ("_knowledge", "_log", "_mail", "_open", "_open_words", "_rules", "_trace", "shadows")

    def __init__(self, rules: "Rules", mail: "Mail", knowledge: "Knowledge", log: "Log", trace: "Trace | None") -> None:
        """log  is given the line number and the text of each "log" rule that holds."""
        self._rules = rules
        self._mail = mail
        self._knowledge = knowledge
        self._log = log
        self._trace = trace
        self.shadows: dict[int, int] = {}
        self.begin()

    def begin(self) -> None:
        """The client has said HELO or MAIL: for its next recipient all rules are read."""
        self._open: tuple[Rule, ...] | None = None
        self._open_words: tuple[str, ...] | None = None

    def silent(self) -> bool:
        """Whether at(RCPT) would come to NOTHING, found out at the least cost; False when that is not known yet."""
        words, values = self._open_words, self._knowledge.values
        if words is None:
            return False
        for word in words:  # noqa: SIM110 - for each recipient; all() would make a generator
            if values.get(word) is not False:
                return False
        return True

    async def at(self, stage: int) -> Ruled:
        """Read the rules at a stage; its tarpits, log lines and shadows count when they speak there."""
        rules = self._rules.at(stage)
        if not rules:
            return NOTHING
        values = self._knowledge.values
        again = stage == RCPT and self._trace is None
        if again and self._open is not None:
            rules = self._open
            if none_holds(rules, values):
                return NOTHING
        reading = await read_some(rules, values, self._knowledge.ask, self._trace)
        if again and self._open is None:
            self._open = still_open(rules, RCPT, values)
            self._open_words = only_words(self._open)
        if reading.rule is None and not reading.notes and not reading.shadows:
            return NOTHING
        for rule in reading.shadows:
            if rule.spoken == stage:
                self.shadows[rule.line] = self.shadows.get(rule.line, 0) + 1
        number = "" if reading.rule is None else str(reading.rule.line)
        ruled = Ruled(reading.verb, number, self._verdict(reading, stage))
        for rule in reading.notes:
            self._note(rule, ruled, stage)
        return ruled

    def _verdict(self, reading: "Reading", stage: int) -> Verdict | None:
        rule = reading.rule
        if rule is None or rule.spoken > stage or reading.verb in ("accept", "quarantine", "discard"):
            return None
        if stage < RCPT and rule.line > self._rules.last_to_speak(stage):
            return None  # it was only read for a shadow below it
        from .answers import answer, values  # noqa: PLC0415 - most sessions of a busy server meet no rule that decides

        return Verdict(answer(rule, reading.verb, stage, values(rule, self._mail, self._knowledge.values)), str(rule.line))

    def _note(self, rule: "Rule", ruled: Ruled, stage: int) -> None:
        action = rule.action
        if action.verb == "tarpit" and rule.spoken == stage:
            ruled.pause += action.number or 0.0
        elif action.verb == "log" and rule.spoken == stage:
            self._log(rule.line, self._filled(rule))
        elif action.verb == "header" and rule.spoken <= stage:
            ruled.fields.append(self._filled(rule))
        elif action.verb == "hold" and rule.spoken <= stage:
            ruled.hold = True

    def _filled(self, rule: "Rule") -> bytes:
        from .answers import values  # noqa: PLC0415 - as above
        from .rules.text import fill_line  # noqa: PLC0415

        return fill_line(rule.action.text or "", values(rule, self._mail, self._knowledge.values))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .checks.base import Mail
    from .knowledge import Knowledge
    from .rules.evaluate import Reading, Trace
    from .rules.rule import Rule, Rules

    Log = Callable[[int, bytes], None]
