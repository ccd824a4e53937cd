"""Every exception has its exit code, and only the one that qmail-queue has itself is permanent."""

import pytest

from qqshim.faults import ShimError, exit_code, explanation
from qsmtpd.qmail.control import ControlError
from qsmtpd.qmail.envelope import EnvelopeError
from qsmtpd.qmail.exitcodes import meaning


@pytest.mark.parametrize(("error", "code"), [
    (ShimError(53, "disk full"), 53), (EnvelopeError(11, "too long"), 11), (EnvelopeError(54, "no end"), 54),
    (EnvelopeError(91, "no recipient"), 91), (ControlError("control/spamd: x"), 55), (MemoryError(), 51),
    (ValueError("a bug"), 81), (OSError(5, "I/O"), 81), (RecursionError(), 81), (KeyboardInterrupt(), 81), (SystemExit(0), 81)])
def test_exit_code(error: BaseException, code: int) -> None:
    """A140."""
    assert exit_code(error) == code
    assert meaning(code)[0].startswith("4") or code == 11


def test_explanation() -> None:
    """Our own say it in their words; a bug says where."""
    try:
        raise ValueError("caf\udce9")
    except ValueError as error:
        said = explanation(error)

    assert said.startswith(b"ValueError: caf")
    assert b"test_faults.py:" in said
    assert explanation(ShimError(53, "disk full")) == b"disk full"
    assert explanation(SystemExit(3)) == b"SystemExit: 3"
