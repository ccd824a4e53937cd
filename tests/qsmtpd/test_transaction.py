"""What becomes of a message, by what is known of each of its recipients."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.atonce import complete
from qsmtpd.transaction import HOPS_MAX, Accepted
from tests.qsmtpd.policies import BAD, FOREIGN, GOOD, begin, begin_with, end, policy, rcpt, transaction
from tests.qsmtpd.world import mail


@given(st.lists(st.sampled_from([GOOD, BAD, FOREIGN]), max_size=20))
def test_the_envelope_is_what_was_accepted(recipients: list[bytes]) -> None:
    """A74: byte for byte, in the order of the client."""
    of = begin(policy(brtlimit=0))

    accepted = [each for each in recipients if rcpt(of, each).reply.positive]

    assert of.mail.recipients == accepted
    assert set(accepted) <= {GOOD}
    assert (of.mail.rcpt, of.mail.good) == (len(recipients), len(accepted))
    assert not accepted or end(of).envelope == accepted


def test_hops_come_before_size() -> None:
    of = begin_with(policy(databytes=10), GOOD)
    verdicts = [end(of, size, hops).verdict for size, hops in ((10, HOPS_MAX - 1), (11, 0), (11, HOPS_MAX))]

    assert [verdict and verdict.rule for verdict in verdicts] == [None, "databytes", "hops"]


def test_quarantine_goes_to_its_address_and_without_one_nobody_loses_mail() -> None:
    text = "size > 10 & valid quarantine\n"
    aside = end(begin_with(policy(text, quarantineto=b"q@bench.test"), GOOD), size=11)
    nowhere = end(begin_with(policy(text), GOOD), size=11)

    assert (aside.verdict, aside.envelope) == (None, [b"q@bench.test"])
    assert aside.aside == [(GOOD, "quarantine", "1")]
    assert nowhere.verdict is not None
    assert nowhere.verdict.reply.code == 451


def test_recipients_who_disagree() -> None:
    """DESIGN 5: accepted, delivered to those who accept, quarantined for the others."""
    text = "size > 10 & accepted = 0 refuse\n"
    found = end(begin_with(policy(text, quarantineto=b"q@bench.test"), GOOD, b"other@bench.test"), size=11)

    assert found.verdict is None
    assert found.envelope == [b"other@bench.test", b"q@bench.test"]
    assert found.aside == [(GOOD, "refuse", "1")]


def test_discarded_for_all_is_for_nobody() -> None:
    found = end(begin_with(policy("size > 10 discard\n"), GOOD), size=11)

    assert (found.verdict, found.envelope) == (None, [])


def test_all_refuse() -> None:
    found = end(begin_with(policy('size > 10 refuse 554 5.6.0 "too long"\n'), GOOD, GOOD), size=11)

    assert found.verdict is not None
    assert found.verdict.reply.wire == b"554 5.6.0 too long\r\n"


def test_words_about_a_recipient_keep_their_values_till_the_message() -> None:
    """Else throttle would defer the very recipients that it has let pass, and maxrecipients a message that is full."""
    assert end(begin_with(policy("any throttle 2\n"), GOOD, GOOD)).verdict is None
    assert end(begin_with(policy(maxrecipients=2), GOOD, GOOD)).verdict is None


def test_a_field_for_the_message_from_its_header() -> None:
    of = begin_with(policy('hops > 3 header "X-Far: yes"\nany header "X-Here: yes"\n'), GOOD)

    assert complete(transaction(of).header(b"Subject: x\n\n")) == [b"X-Here: yes"]
    assert end(of, hops=4).verdict is None


def test_what_the_scanners_rules_ask_is_told_to_them() -> None:
    of = begin_with(policy("virus & valid refuse\nrelay accept\nspam & rcpt > 1 refuse\n"), GOOD, b"other@bench.test")

    assert complete(transaction(of).for_queue()) == {b"QQTAGS": b"!relay;valid,rcpt:1;valid,rcpt:2"}


def test_no_rule_asks_the_scanners() -> None:
    assert complete(transaction(begin_with(policy("relay accept\n"), GOOD)).for_queue()) == {}


def test_recipients_share_what_is_equal() -> None:
    """A31: of five thousand only the addresses differ."""
    first, second, third = (Accepted(mail(recipient=b"x@bench.test"), known) for known in ({"vip": True}, {"vip": True}, {}))

    second.share(first)
    third.share(second)

    assert second.known is first.known
    assert third.known == {}


def test_who_has_said_his_last_words_keeps_no_recipients() -> None:
    """A31: he may take two seconds to go."""
    of = begin_with(policy(), GOOD, GOOD)

    of.end()

    assert (of.transaction, of.mail.recipients) == (None, [])
    assert (of.mail.good, of.mail.rcpt) == (2, 2)
