"""A session of the log, said again to the session's own policy: connection, HELO, MAIL and RCPT in their order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from qsmtpd.rules.atonce import complete
from qsmtpd.rules.evaluate import read
from qsmtpd.rules.rule import Rules
from qsmtpd.rules.vocabulary import CONNECT, HELO, MAIL, RCPT
from qsmtpd.ruling import Verdict

from .logged import Known, LoggedConfig, NotLoggedError, policy

if TYPE_CHECKING:
    from qsmtpd.policy import Policy

Line = Mapping[bytes, bytes]


class Told(NamedTuple):
    """What a client is told: the first digit of the code, and the rule or what safety looked at, "" for none."""

    digit: int
    rule: str


ACCEPTED = Told(2, "")
STAGES = {b"connect": CONNECT, b"helo": HELO, b"mail": MAIL}
"""The values of "at" that are about a session without recipients."""


class Rerun:
    """The state of one session under the rules to try.

    lasting  words that are not forgotten, whatever stage they are of
    """

    def __init__(self, config: LoggedConfig, last: Line, relay: bool | None, *, alone: bool) -> None:
        """last  its session line; alone  it had no recipients."""
        self._config = config
        self._policy: Policy = policy(config, last[b"id"], last, relay)
        self._helo = last.get(b"helo")
        self._values = self._policy.knowledge.values
        self._learnt: list[list[str]] = [[] for _ in range(RCPT + 1)]
        self._at = STAGES.get(last.get(b"at", b""), -1) if alone else -1
        self._careless = b"early" in last
        self._gone: Told | None = None  # the session was ended, or the transaction refused
        self._ended = False
        self._missing: tuple[str, ...] = ()
        self._missing_at_connect = False
        self.lasting: frozenset[str] = frozenset()

    def learn(self, words: Sequence[Known]) -> None:
        """These are known from now on."""
        for stage, name, value in words:
            if stage <= RCPT:
                self._values[name] = value
                if name not in self.lasting:
                    self._learnt[stage].append(name)

    def forget(self, stage: int) -> None:
        """What was learnt of a stage and those behind it."""
        for names in self._learnt[stage:]:
            for name in names:
                self._values.pop(name, None)
            names.clear()

    def step(self, stage: int, speaks: Mapping[int, bool]) -> None:
        """The client has connected, or said HELO."""
        if not speaks[stage] or self._gone is not None or self._missing:
            return
        if stage == CONNECT:
            self._say(self._policy.connect(), stage)
            self._ended, self._missing_at_connect = self._gone is not None, bool(self._missing)
        elif self._helo is not None:
            self._say(self._policy.helo(self._helo, True), stage)

    def begin(self, sender: bytes | None, speaks: Mapping[int, bool]) -> None:
        """A transaction; None: HELO, and no MAIL."""
        if self._ended or self._missing_at_connect:
            return
        self._gone, self._missing = None, ()
        self.step(HELO, speaks)
        if sender is not None and self._gone is None and not self._missing:
            self._say(self._policy.sender(sender, 0, False), MAIL)
        elif sender is not None:
            self._policy.mail.begin(sender, b"SMTP")

    def so_far(self) -> tuple[Told | None, tuple[str, ...]]:
        """What the client was told before its first recipient, and what is missing for saying so."""
        return (None, self._missing) if self._missing else (self._gone or ACCEPTED, ())

    def recipient(self, line: Line, before: Told) -> tuple[Told | None, tuple[str, ...]]:
        """What a recipient is told, or what is missing for saying so."""
        if self._gone is not None:
            return self._gone, ()
        missing = self._missing
        if not missing:
            self._config.recipient.take(line)
            verdict = self._done(self._policy.recipient(line[b"to"]))
            if isinstance(verdict, Verdict):
                told = _told(verdict)
                if verdict.reply.closes:
                    self._gone, self._ended = told, True
                return told, ()
            missing = verdict
        if before.digit == 2:
            self._policy.mail.good += 1
            self._policy.mail.recipients.append(line[b"to"])
        return None, missing

    def holding(self, single: Sequence[Rules], told: Told) -> Iterator[int]:
        """The lines of those of these single rules that hold, as far as the log says, above the rule that decides.

        told  what the recipient in hand is told
        """
        knowledge, decided = self._policy.knowledge, int(told.rule) if told.rule.isdigit() else self._accepting_line()
        for rules in single:
            line = rules.rules[0].line
            if line < decided:
                try:
                    reading = complete(read(rules, RCPT, knowledge.values, knowledge.ask))
                except NotLoggedError:
                    continue
                if reading.rule is not None or reading.notes:
                    yield line

    def _accepting_line(self) -> float:
        """Of the "accept" that has decided, or behind the end of the file."""
        knowledge = self._policy.knowledge
        reading = complete(read(self._config.rules, RCPT, knowledge.values, knowledge.ask))
        return float("inf") if reading.rule is None else reading.rule.line

    def _say(self, work: object, stage: int) -> None:
        """Who was refused before its recipients and went on would do so again."""
        verdict = self._done(work)
        if not isinstance(verdict, Verdict):
            self._missing = verdict
        elif not verdict.reply.positive and not (self._careless and not verdict.reply.closes and stage != self._at):
            self._gone = _told(verdict)
            self._ended = verdict.reply.closes

    def _done(self, work: object) -> "Verdict | tuple[str, ...]":
        """The verdict, or what is missing."""
        try:
            verdict: Verdict = complete(work)  # type: ignore[arg-type]  # a coroutine of the policy
        except NotLoggedError as error:
            return error.names
        return verdict


def _told(verdict: Verdict) -> Told:
    return Told(verdict.reply.code // 100, verdict.rule or "")
