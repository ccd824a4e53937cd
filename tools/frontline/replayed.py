"""One session of the log under other rules: what each recipient would have been told."""

from collections.abc import Iterator
from typing import NamedTuple

from qsmtpd.rules.rule import Action, Rule, Rules
from qsmtpd.rules.vocabulary import CONNECT, HELO, MAIL, RCPT

from . import logfiles
from .logged import Known, LoggedConfig
from .rerun import ACCEPTED, STAGES, Line, Rerun, Told
from .sessions import Session

NOT_RELAY = (b"valid", b"invalid", b"foreign")
"""What is only found out about recipients of clients that may not relay."""


class Outcome(NamedTuple):
    """A recipient, or a session that had none.

    sender, recipient  b"" for a session without recipients
    before, after      what it was told, and would be; after is None when the log does not say what the rules want to know
    missing            the words that are not in the log
    shadows            lines of "?" rules that would have acted
    """

    sender: bytes
    recipient: bytes
    before: Told
    after: Told | None
    missing: tuple[str, ...] = ()
    shadows: tuple[int, ...] = ()


class Replay:
    """Of one session after the other.

    shadows  each "?" rule by itself, as if it acted
    """

    def __init__(self, config: LoggedConfig) -> None:
        self._config = config
        self._speaks = {stage: bool(config.rules.at(stage)) for stage in (CONNECT, HELO, MAIL)}
        self.shadows = [Rules((_acting(rule),)) for rule in config.whole.rules if rule.action.shadow and rule.stage <= RCPT]

    def session(self, of: Session) -> tuple[Line, list[Outcome]]:
        """The session line, and what comes of each recipient; of a session without any, what comes of itself.

        Raises:
            ValueError, KeyError: lines that are none of ours.
        """
        last = logfiles.pairs(of.last)
        lines: list[tuple[bool, Line]] = [(line[:4] == b"rcpt", logfiles.pairs(line)) for line in of.lines]
        whole = [*self._words(last)]
        alone = not any(is_rcpt for is_rcpt, _ in lines)
        rerun = Rerun(self._config, last, self._relay(whole, lines), alone=alone)
        rerun.lasting = self._lasting(whole, lines)
        rerun.learn([word for word in whole if word.stage == CONNECT])
        return last, [self._alone(rerun, last, whole)] if alone else list(self._recipients(rerun, lines))

    def _words(self, line: Line) -> tuple[Known, ...]:
        known = self._config.known
        return (*known(line.get(b"tags", b"")), *known(line.get(b"asked", b"")))

    def _relay(self, whole: list[Known], lines: list[tuple[bool, Line]]) -> bool | None:
        for word in whole:
            if word.name == "relay":
                return bool(word.value)
        return False if any(line.get(b"is") in NOT_RELAY for _, line in lines) else None

    def _lasting(self, whole: list[Known], lines: list[tuple[bool, Line]]) -> frozenset[str]:
        """Words of MAIL or RCPT that were found out once for the whole session, for they are the same for everybody.

        Known at its end, and not among the news of the last transaction; of a recipient nothing else is known at the end.
        """
        last_in: dict[str, int] = {}
        transactions = sum(b"from" in line for is_rcpt, line in lines if is_rcpt)
        if transactions > 1:
            number = 0
            for is_rcpt, line in lines:
                number += is_rcpt and b"from" in line
                for word in self._words(line):
                    last_in[word.name] = number
        return frozenset(
            word.name for word in whole
            if word.stage == RCPT or (word.stage == MAIL and last_in.get(word.name, transactions) < transactions))

    def _recipients(self, of: Rerun, lines: list[tuple[bool, Line]]) -> Iterator[Outcome]:
        of.step(CONNECT, self._speaks)
        sender = b""
        for is_rcpt, line in lines:
            news = self._words(line)
            if not is_rcpt:
                of.learn([word for word in news if word.stage <= MAIL])
                continue
            if b"from" in line:
                sender = line[b"from"]
                of.forget(MAIL)
                of.learn(news)
                of.begin(sender, self._speaks)
            else:
                of.forget(RCPT)
                of.learn(news)
            before = _logged(line)
            after, missing = of.recipient(line, before)
            shadows = self._shadows_of(of, after) if self.shadows else ()
            yield Outcome(sender, line[b"to"], before, after, missing, shadows)

    def _shadows_of(self, of: Rerun, after: Told | None) -> tuple[int, ...]:
        """The "?" rules above the one that decides; one that asks what is not in the log is not counted."""
        return () if after is None else tuple(of.holding(self.shadows, after))

    def _alone(self, of: Rerun, last: Line, whole: list[Known]) -> Outcome:
        """A session without recipients: refused before, or gone."""
        stage = STAGES.get(last.get(b"at", b""))
        before = _logged(last) if stage is not None else ACCEPTED
        last_stage = stage if stage is not None else MAIL if b"from" in last else HELO if b"helo" in last else CONNECT
        of.step(CONNECT, self._speaks)
        if last_stage > CONNECT:
            of.learn([word for word in whole if word.stage <= last_stage])
            of.begin(last.get(b"from", b"") if last_stage == MAIL else None, self._speaks)
        return Outcome(b"", b"", before, *of.so_far())


def _logged(line: Line) -> Told:
    return Told(int(line[b"code"][:1]), line.get(b"rule", b"").decode("ascii", "replace"))


def _acting(rule: Rule) -> Rule:
    """A "?" rule as if it acted."""
    action = Action(rule.action.verb, at=rule.action.at, number=rule.action.number, percent=rule.action.percent,
                    code=rule.action.code, status=rule.action.status, text=rule.action.text)
    acting = object.__new__(Rule)
    for name in Rule.__slots__:
        setattr(acting, name, getattr(rule, name))
    acting.action = action
    return acting
