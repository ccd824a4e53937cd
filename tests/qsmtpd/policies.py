"""A session's policy where good@bench.test exists and bad@bench.test does not, and what a client says to it."""

from qsmtpd.policy import Policy
from qsmtpd.rules.atonce import complete
from qsmtpd.ruling import Verdict
from qsmtpd.transaction import Disposal, Transaction
from tests.conftest import DEFAULT_RULES
from tests.qsmtpd.world import DictLookups, Settings, mail

GOOD, BAD, FOREIGN = b"good@bench.test", b"bad@bench.test", b"x@elsewhere.test"


def policy(
        text: str = DEFAULT_RULES, lookups: DictLookups | None = None, relay: bytes | None = None,
        env: dict[str, bytes] | None = None, valid: bool = True, **values: object,
) -> Policy:
    """Where good@bench.test exists and bad@bench.test does not."""
    lookups = lookups or DictLookups()
    if valid and "validrcptto.cdb" not in lookups.databases:
        lookups.databases = {**lookups.databases, "validrcptto.cdb": {GOOD, b"other@bench.test"}}
    return Policy(Settings(text=text, **values), mail(relay=relay, env=env), lookups, lambda line, text: None)


def begin(of: Policy, sender: bytes = b"a@b.test") -> Policy:
    complete(of.sender(sender, 0, False))
    return of


def rcpt(of: Policy, recipient: bytes) -> Verdict:
    return complete(of.recipient(recipient))


def begin_with(of: Policy, *recipients: bytes) -> Policy:
    begin(of)
    for each in recipients:
        assert rcpt(of, each).reply.positive
    return of


def end(of: Policy, size: int = 1, hops: int = 0) -> Disposal:
    return complete(transaction(of).message(size, hops))


def transaction(of: Policy) -> Transaction:
    assert of.transaction
    return of.transaction
