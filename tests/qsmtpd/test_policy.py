"""Who decides, in which order, and what is counted."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.config import Config
from qsmtpd.drivers.stdio import complete
from qsmtpd.policy import HOPS_MAX, Policy, Verdict
from tests.qsmtpd.world import DictLookups, mail


class Settings(Config):
    """A Config that no file was read for."""

    def __init__(self, **values: object) -> None:
        self.smtpgreeting = self.localiphost = self.envnoathost = b"bench.test"
        self.databytes = self.tarpitcount = 0
        self.brtlimit, self.maxrecipients, self.tarpitdelay = 3, 1000, 5
        self.badmailfrom, self.rcpthosts = frozenset((b"@evil.test",)), frozenset((b"bench.test",))
        self.validrcptto = self.recipients = None
        for name, value in values.items():
            setattr(self, name, value)


def policy(lookups: DictLookups, relay: bytes | None = None, blocked: bytes | None = None, **values: object) -> Policy:
    return Policy(Settings(**values), mail(relay=relay, blocked=blocked), lookups)


def rcpt(of: Policy, recipient: bytes) -> Verdict:
    return complete(of.recipient(recipient))


def test_a_blocked_client_cannot_tell_who_exists_and_the_log_can() -> None:
    of = policy(DictLookups({"validrcptto.cdb": {b"good@bench.test"}}), blocked=b"-no")
    complete(of.sender(b"", 0, False))

    good, bad, foreign = (rcpt(of, each) for each in (b"good@bench.test", b"bad@bench.test", b"x@elsewhere.test"))

    assert good.reply.wire == bad.reply.wire == foreign.reply.wire
    assert (of.mail.rcpt, of.mail.good, of.mail.bad) == (3, 0, 1)
    assert of.mail.recipients == []


def test_a_blocked_client_cannot_tell_by_the_time_either() -> None:
    """A57: the tarpit is for those who are told."""
    lookups = DictLookups({"validrcptto.cdb": {b"good@bench.test"}})
    blocked, told = (policy(lookups, blocked=text, tarpitcount=1, brtlimit=0) for text in (b"-no", None))

    for of, delays in ((blocked, [0, 0, 0]), (told, [0, 5, 0])):
        complete(of.sender(b"", 0, False))
        assert [rcpt(of, each).delay for each in (b"a@bench.test", b"b@bench.test", b"good@bench.test")] == delays


def test_nothing_admits_what_safety_refuses() -> None:
    """No sender, no order of recipients makes a foreign domain or a missing mailbox acceptable."""
    of = policy(DictLookups({"validrcptto.cdb": {b"good@bench.test"}}))
    complete(of.sender(b"a@b.test", 0, False))

    assert [rcpt(of, each).check for each in (b"good@bench.test", b"x@elsewhere.test", b"bad@bench.test")] == [
        None, "rcpthosts", "validrcpt"]


@given(st.lists(st.sampled_from([b"good@bench.test", b"bad@bench.test", b"x@elsewhere.test"]), max_size=20))
def test_the_envelope_is_what_was_accepted(recipients: list[bytes]) -> None:
    """A74: byte for byte, in the order of the client."""
    of = policy(DictLookups({"validrcptto.cdb": {b"good@bench.test"}}))
    complete(of.sender(b"a@b.test", 0, False))

    accepted = [each for each in recipients if rcpt(of, each).reply.positive]

    assert of.mail.recipients == accepted
    assert set(accepted) <= {b"good@bench.test"}
    assert (of.mail.rcpt, of.mail.good) == (len(recipients), len(accepted))


def test_relayclient_is_appended_after_the_checks() -> None:
    of = policy(DictLookups(), relay=b".relay.test")
    complete(of.sender(b"a@b.test", 0, False))

    assert rcpt(of, b"x@far.test").reply.positive
    assert of.mail.recipients == [b"x@far.test.relay.test"]


def test_our_address_is_our_host_before_anything_is_checked() -> None:
    """A64: sender and recipient; an address that is not ours stays a literal, and is refused."""
    of = policy(DictLookups(own=frozenset((b"192.0.2.2",))))
    complete(of.sender(b"me@[192.0.2.2]", 0, False))

    assert rcpt(of, b"x@[192.0.2.2]").reply.positive
    assert rcpt(of, b"x@[192.0.2.3]").check == "rcpthosts"
    assert (of.mail.sender, of.mail.recipients) == (b"me@bench.test", [b"x@bench.test"])


def test_a_new_sender_forgets_the_recipients() -> None:
    of = policy(DictLookups())
    complete(of.sender(b"a@b.test", 0, False))
    rcpt(of, b"x@bench.test")

    complete(of.sender(b"c@d.test", 0, False))

    assert of.mail.recipients == []


def test_hops_come_before_size() -> None:
    of = policy(DictLookups(), databytes=10)
    verdicts = [of.message(size, hops) for size, hops in ((10, HOPS_MAX - 1), (11, 0), (11, HOPS_MAX))]

    assert [verdict and verdict.check for verdict in verdicts] == [None, "databytes", "hops"]


def test_the_protocol_word() -> None:
    of = policy(DictLookups())
    words = []
    for extended, utf8 in ((False, False), (True, False), (True, True), (True, False)):
        of.helo(b"x", extended=extended)
        complete(of.sender(b"", 0, utf8))
        words.append(of.mail.protocol)

    assert words == [b"SMTP", b"ESMTP", b"UTF8SMTP", b"ESMTP"]


def test_limits_of_nothing_are_no_limits() -> None:
    of = policy(DictLookups({"validrcptto.cdb": set()}), brtlimit=0, maxrecipients=0)
    complete(of.sender(b"", 0, False))

    assert {rcpt(of, b"bad@bench.test").check for _ in range(5000)} == {"validrcpt"}
