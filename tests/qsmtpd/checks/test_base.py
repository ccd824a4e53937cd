"""What is known of a session."""

from qsmtpd.checks.base import Mail
from tests.qsmtpd.world import peer


def test_nothing_is_known_at_first() -> None:
    known = Mail(peer(), {"RELAYCLIENT": b""}.get)

    assert (known.relay, known.environment("RBLSMTPD")) == (b"", None)
    assert (known.ip, known.port, known.local_ip, known.local_port, known.ptr) == (
        b"192.0.2.1", b"4711", b"192.0.2.2", b"25", None)
    assert (known.helo, known.sender, known.header, known.recipients) == (None, None, None, [])
    assert (known.rcpt, known.good, known.bad) == (0, 0, 0)


def test_a_transaction_begins_with_what_is_known_of_the_session() -> None:
    known = Mail(peer(), {}.get)
    known.recipients, known.header, known.size, known.spf_domain, known.waited = [b"x"], b"\n", 1, b"x.test", 5
    known.rcpt, known.good, known.bad = 3, 2, 1

    known.begin(b"a@b.test", b"ESMTP")

    assert (known.sender, known.protocol, known.recipients, known.before) == (b"a@b.test", b"ESMTP", [], (3, 2, 1))
    assert (known.header, known.size, known.hops, known.spf_domain, known.waited) == (None,) * 5
