"""The decisions of a session: safety, and rules."""

import pytest

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.checks.validrcpt import ValidRcpt
from qsmtpd.policy import Policy
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.policies import BAD, FOREIGN, GOOD, begin, begin_with, end, policy, rcpt, transaction
from tests.qsmtpd.world import DictLookups, Settings, mail


def test_a_blocked_client_cannot_tell_who_exists_and_the_log_can() -> None:
    of = begin(policy(env={"RBLSMTPD": b"-no"}))

    good, bad, foreign = (rcpt(of, each) for each in (GOOD, BAD, FOREIGN))

    assert good.reply.wire == bad.reply.wire == foreign.reply.wire == b"553 5.7.1 no\r\n"
    assert (of.mail.rcpt, of.mail.good, of.mail.bad) == (3, 0, 1)
    assert of.mail.recipients == []


def test_a_blocked_client_cannot_tell_by_the_time_either() -> None:
    """A57: the tarpit is for those who are told."""
    for env, delays in (({"RBLSMTPD": b"-no"}, [0, 0, 0]), ({}, [0, 5, 0])):
        of = begin(policy(env=env, tarpitcount=1, brtlimit=0))
        assert [rcpt(of, each).delay for each in (BAD, b"b@bench.test", GOOD)] == delays


@pytest.mark.parametrize("text", ["any accept\n", "valid accept\ninvalid accept\n", "rcpt >= 0 accept\n", ""])
def test_nothing_admits_what_safety_refuses(text: str) -> None:
    of = begin(policy(text))

    assert [rcpt(of, each).rule for each in (GOOD, FOREIGN, BAD)] == [None, "rcpthosts", "validrcpt"]
    assert rcpt(begin(policy(text), b"#@[]"), GOOD).rule == "doublebounce"
    assert end(begin_with(policy(text, databytes=10), GOOD), size=11).verdict is not None


def test_relayclient_is_appended_after_the_checks() -> None:
    of = begin(policy(relay=b".relay.test"))

    assert rcpt(of, b"x@far.test").reply.positive
    assert end(of).envelope == [b"x@far.test.relay.test"]


def test_our_address_is_our_host_before_anything_is_checked() -> None:
    """A64: sender and recipient; an address that is not ours stays a literal, and is refused."""
    of = begin(policy(valid=False, lookups=DictLookups(own=frozenset((b"192.0.2.2",)))), b"me@[192.0.2.2]")

    assert rcpt(of, b"x@[192.0.2.2]").reply.positive
    assert rcpt(of, b"x@[192.0.2.3]").rule == "rcpthosts"
    assert (of.mail.sender, of.mail.recipients) == (b"me@bench.test", [b"x@bench.test"])


def test_a_new_sender_forgets_the_transaction() -> None:
    of = begin_with(policy('any header "X-Seen: {rcpt}"\nany hold\n'), GOOD)
    assert complete(transaction(of).header(b"")) == [b"X-Seen: good@bench.test"]
    assert transaction(of).hold

    begin(of, b"c@d.test")

    assert (of.mail.recipients, of.transaction) == ([], None)


def test_the_protocol_word() -> None:
    of = policy()
    words = []
    for extended, utf8 in ((False, False), (True, False), (True, True), (True, False)):
        complete(of.helo(b"x", extended=extended))
        complete(of.sender(b"", 0, utf8))
        words.append(of.mail.protocol)

    assert words == [b"SMTP", b"ESMTP", b"UTF8SMTP", b"ESMTP"]


def test_limits_of_nothing_are_no_limits() -> None:
    of = begin(policy(brtlimit=0, maxrecipients=0))

    assert {rcpt(of, BAD).rule for _ in range(500)} == {"validrcpt"}


def test_the_default_rules_keep_the_limits() -> None:
    """A31: 452 for one recipient too many; brtlimit ends the session."""
    of = begin(policy(maxrecipients=2))
    assert [rcpt(of, each).reply.code for each in (GOOD, GOOD, GOOD, BAD)] == [250, 250, 452, 550]

    of = begin(policy(brtlimit=2))
    assert [rcpt(of, BAD).reply.code for _ in range(3)] == [550, 550, 421]


def test_a_bounce_has_one_recipient() -> None:
    """A114."""
    of = begin(policy(), b"")

    assert [rcpt(of, each).reply.code for each in (GOOD, b"other@bench.test")] == [250, 452]


def test_the_facts_count_the_recipient_in_hand() -> None:
    of = begin(policy('badrcpt >= 2 & badrcpt > goodrcpt defer 451 4.7.1 "{rule}"\n'))

    assert [rcpt(of, each).reply.code for each in (BAD, GOOD, BAD, GOOD)] == [550, 250, 451, 250]


def test_throttle_lets_so_many_pass_and_tells_the_rest_nothing() -> None:
    """DESIGN 5: one recipient a session, 4xx for the rest, whether they exist or not."""
    of = begin(policy("any throttle 1\n"))

    assert [rcpt(of, each).reply.code for each in (BAD, GOOD, GOOD, BAD)] == [550, 250, 452, 452]
    assert end(of).envelope == [GOOD]


@pytest.mark.parametrize(("drawn", "code"), [(89.9, 451), (90.0, 250)])
def test_a_leak_is_drawn(drawn: float, code: int) -> None:
    of = begin(policy("any defer 90%\n", DictLookups(drawn=drawn)))

    assert rcpt(of, GOOD).reply.code == code


def test_what_a_failed_look_up_leaves_open_is_deferred_never_refused() -> None:
    """DESIGN 5: while an accept above is unknown, refuse and close are carried out as defer; so are they in the message."""
    for verb in ("refuse", "close"):
        text = f"known-good accept\nany {verb}\n"
        of = Policy(Failing(text=text), mail(), DictLookups(), lambda line, text: None)
        verdict = rcpt(begin(of), GOOD)
        assert (verdict.reply.code, verdict.rule) == (451, "2")


async def fail(of: Mail, lookups: object, wanted: tuple[str, ...]) -> dict[str, bool | float | None]:
    raise LookupFailedError("down")


class Failing(Settings):
    def check(self, name: str) -> "Check":
        return fail


def test_a_decision_is_spoken_at_rcpt_unless_it_says_otherwise() -> None:
    early = policy("any refuse@mail\n")
    late = policy("any refuse\n")

    assert [complete(of.connect()).reply.code for of in (early, late)] == [220, 220]
    assert [complete(of.helo(b"x", extended=True)).reply.code for of in (early, late)] == [250, 250]
    assert [complete(of.sender(b"a@b.test", 0, False)).reply.code for of in (early, late)] == [550, 250]
    assert rcpt(late, GOOD).reply.code == 550


@pytest.mark.parametrize(("text", "code"), [
    ("any defer@connect\n", 421), ("any refuse@connect\n", 554), ('any close@connect 554 5.7.1 "x"\n', 554)])
def test_a_refusal_instead_of_the_greeting_ends_the_connection(text: str, code: int) -> None:
    verdict = complete(policy(text).connect())

    assert (verdict.reply.code, verdict.reply.closes) == (code, True)


def test_tarpits_add_up_to_a_minute_a_session() -> None:
    of = begin(policy("any tarpit 25\n"))

    assert [rcpt(of, GOOD).delay for _ in range(4)] == [25, 25, 10, 0]


def test_shadows_are_counted_where_they_would_have_spoken() -> None:
    of = policy("any ?refuse\nvalid ?defer\n")
    complete(of.connect())
    begin(of)

    assert [rcpt(of, each).reply.code for each in (GOOD, BAD)] == [250, 550]
    assert of.ruling.shadows == {1: 2, 2: 1}


def test_the_greeting_waits_once() -> None:
    """Setting greetdelay: the pause is the check's when a rule asks for earlytalk, else the greeting's."""
    lookups = DictLookups()
    plain = policy("any accept\n", lookups, greetdelay=-7)

    assert complete(plain.connect()).delay == 7
    assert lookups.waited == []


def test_the_next_hop_is_asked_last() -> None:
    """DESIGN 6: made only when no rule has decided against the recipient; no answer is no refusal."""
    asked: list[bytes] = []

    async def ask(of: Mail, lookups: object) -> bool | None:
        asked.append(of.recipient)
        if of.recipient.startswith(b"slow"):
            raise LookupFailedError("time is up")
        return of.recipient == GOOD

    of = begin(policy("null-sender accept\nrcpt > 3 refuse\n", valid=False, rcptcallout=ask))
    codes = [rcpt(of, each).reply.code for each in (GOOD, b"no@bench.test", b"slow@bench.test", GOOD)]

    assert codes == [250, 550, 451, 550]
    assert asked == [GOOD, b"no@bench.test", b"slow@bench.test"]
    assert (of.mail.good, of.mail.bad) == (1, 1)


def test_a_program_that_knows_recipients() -> None:
    async def check(of: Mail, lookups: object) -> bool | None:
        return None if of.recipient == GOOD else False

    of = begin(policy("relay accept\n", valid=False, rcptcheck=check))

    assert [rcpt(of, each).reply.code for each in (GOOD, BAD)] == [250, 550]


def test_existence_is_asked_of_databases_before_anything_else() -> None:
    class Broken(ValidRcpt):
        async def knows(self, address: bytes, lookups: object) -> bool | None:
            raise LookupFailedError("validrcptto.cdb")

    settings = Settings(text="any accept\n", valid=Broken(None, None, b""))
    of = begin(Policy(settings, mail(), DictLookups(), lambda line, text: None))

    with pytest.raises(LookupFailedError):
        rcpt(of, GOOD)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.checks.base import Check
