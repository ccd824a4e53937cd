"""What a check is given at the start of a session."""

from qsmtpd.checks.base import Mail


def test_nothing_is_known_at_first() -> None:
    mail = Mail(None, None)

    assert (mail.helo, mail.sender, mail.recipient, mail.known, mail.recipients) == (None, None, b"", None, [])
    assert (mail.rcpt, mail.good, mail.bad, mail.protocol) == (0, 0, 0, b"SMTP")
