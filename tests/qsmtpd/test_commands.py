"""Verb and argument, and clients of other protocols."""

import pytest

from qsmtpd.commands import is_foreign, split


@pytest.mark.parametrize(("line", "verb", "argument"), [
    (b"", b"", b""), (b"quit", b"QUIT", b""), (b"MAIL   FROM:<a>", b"MAIL", b"FROM:<a>"), (b" DATA", b"", b"DATA"),
    (b"\tNOOP", b"\tNOOP", b""), (b"rcpt TO:<a b> ", b"RCPT", b"TO:<a b> ")])
def test_split(line: bytes, verb: bytes, argument: bytes) -> None:
    assert split(line) == (verb, argument)


@pytest.mark.parametrize("verb", [b"GET", b"POST", b"PRI", b"INVITE", b"SSH-2.0-OPENSSH"])
def test_foreign_verbs(verb: bytes) -> None:
    """A15."""
    assert is_foreign(verb)


def test_what_is_not_foreign() -> None:
    assert not is_foreign(b"MAIL")
