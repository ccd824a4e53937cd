"""Clients of other protocols."""

import pytest

from qsmtpd.commands import is_foreign


@pytest.mark.parametrize("verb", [b"GET", b"POST", b"PRI", b"INVITE", b"SSH-2.0-OPENSSH"])
def test_foreign_verbs(verb: bytes) -> None:
    """A15."""
    assert is_foreign(verb)


def test_what_is_not_foreign() -> None:
    assert not is_foreign(b"MAIL")
