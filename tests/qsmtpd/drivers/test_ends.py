"""What ends a session before the client does."""

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.drivers.ends import ShutdownError, end
from qsmtpd.qmail.control import ControlError


@pytest.mark.parametrize(("error", "verdict", "code"), [
    (TimeoutError(), "timeout", 451), (ConnectionResetError(), "gone", None), (BrokenPipeError(), "gone", None),
    (ShutdownError(), "shutdown", 421), (LookupFailedError("x"), "fault", 421), (ControlError("x"), "fault", 421),
    (MemoryError(), "fault", 421), (OSError("disk"), "fault", 421), (ZeroDivisionError(), "fault", 421)])
def test_every_error_is_temporary_and_says_who_has_ended_it(error: Exception, verdict: str, code: int | None) -> None:
    """A timeout is an OSError, and a lost connection too: neither is a fault of ours."""
    found, reply = end(error)

    assert (found, reply and reply.code) == (verdict, code)
    assert reply is None or reply.closes
