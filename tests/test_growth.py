"""How work grows, in lines of Python run and not in seconds: with the rules, and not with what has gone before (A31)."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from qsmtpd.policy import Policy
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictLookups, Settings, mail

GOOD, BAD = b"good@bench.test", b"bad@bench.test"
SLACK = 1.2


def policy(text: str) -> Policy:
    lookups = DictLookups({"validrcptto.cdb": {GOOD}})
    of = Policy(Settings(text=text, maxrecipients=0, brtlimit=0), mail(), lookups, lambda line, words: None)
    complete(of.helo(b"mail.example", extended=True))
    complete(of.sender(b"a@far.test", 0, utf8=False))
    return of


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python that takes."""
    count = 0

    def trace(frame: FrameType, what: str, argument: object) -> object:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def rcpt(of: Policy, recipient: bytes, times: int = 1) -> int:
    """The lines of so many RCPTs."""
    def work() -> None:
        for _ in range(times):
            complete(of.recipient(recipient))
    return lines_run(work)


RULES = {
    "counts": "rcpt > 1000000 & badrcpt > {} refuse\n",
    "tags": '!relay & null-sender & helo-oneword refuse "{}"\n',
    "notes": 'mail-rcpt > {} header "X-A: {{rcpt}}"\n',
    "of the message": 'size > 1000000 & mime-mixed refuse "{}"\n',
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_recipient_costs_what_the_rules_are(rule: str) -> None:
    """10, 100, 1,000 rules."""
    costs = []
    for number in (10, 100, 1000):
        of = policy("".join(rule.format(n + 10**6) for n in range(number)))
        rcpt(of, GOOD)
        costs.append(rcpt(of, GOOD))

    assert costs[1] < 10 * costs[0]
    assert costs[2] < 10 * SLACK * costs[1]


@pytest.mark.parametrize("recipient", [GOOD, BAD, b"x@elsewhere.test"])
@pytest.mark.parametrize("text", [
    "", 'badrcptto refuse\nrcpt > 5000 defer\nnot-addressed header "X-A: 1"\n', "any throttle 5000\n"])
def test_a_recipient_costs_what_the_one_before_did(text: str, recipient: bytes) -> None:
    """A31: the 1,000th no more than the 10th."""
    of = policy(text)
    rcpt(of, recipient, 9)
    tenth = rcpt(of, recipient)
    rcpt(of, recipient, 989)

    assert rcpt(of, recipient) <= tenth


@pytest.mark.parametrize("text", [
    "", "not-addressed quarantine\n", 'badrcptto refuse\nnot-addressed header "X-A: {rcpt}"\nmime-mixed & rcpt > 5 defer\n',
    'any header "X-A: {rcpt}"\n', "virus refuse\n"])
def test_a_message_costs_what_its_recipients_are(text: str) -> None:
    """A31: ten times as many, ten times the work, at the end of the message as before it."""
    def message(recipients: int) -> int:
        of = policy(text)
        for number in range(recipients):
            complete(of.recipient(GOOD if number % 2 else b"postmaster"))

        transaction = of.transaction
        assert transaction

        def work() -> None:
            complete(transaction.for_queue())
            complete(transaction.header(b"To: good@bench.test\nFrom: a@far.test\n\n"))
            complete(transaction.message(100, 0))
        return lines_run(work)

    small, large = message(100), message(1000)

    assert large < 10 * SLACK * small


def test_what_the_log_is_told_does_not_grow() -> None:
    """A39: what has been learned of a recipient is forgotten with the next."""
    of = policy("badrcptto refuse\nrcpt > 5000 defer\n")
    rcpt(of, GOOD, 10)
    known = len(of.knowledge.values)
    rcpt(of, GOOD, 500)

    assert len(of.knowledge.values) == known
    assert len(of.knowledge.news()[1] or b"") < 100
