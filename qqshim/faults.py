"""What can go wrong on our side of a message, and the exit code that says so.  All of them are temporary but 11.

ShimError         the message cannot be taken: exit_code is one of qmail-queue's (qsmtpd/qmail/exitcodes.py)
EnvelopeError     of qsmtpd.qmail.envelope: 11, 54, 91
ControlError      of qsmtpd.qmail.control: 55
ScannerError      of scanners/base.py: never ends a message, the scanner's fail policy is asked
"""

from qsmtpd.qmail.control import ControlError
from qsmtpd.qmail.envelope import EnvelopeError
from qsmtpd.qmail.exitcodes import CONFIGURATION, INTERNAL_BUG, OUT_OF_MEMORY


class ShimError(Exception):
    """The message cannot be taken; str() is for the log."""

    def __init__(self, exit_code: int, why: str) -> None:
        super().__init__(why)
        self.exit_code = exit_code


def exit_code(error: BaseException) -> int:
    """What the program exits with for an exception; what nobody foresaw is 81."""
    if isinstance(error, ShimError | EnvelopeError):
        return error.exit_code
    if isinstance(error, ControlError):
        return CONFIGURATION
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    return INTERNAL_BUG


def explanation(error: BaseException) -> bytes:
    """What the log says of an exception; of one that nobody foresaw also the file and line it came from."""
    if isinstance(error, ShimError | EnvelopeError | ControlError):
        return str(error).encode("utf-8", "surrogateescape")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__}: {error}{where}".encode("utf-8", "backslashreplace")
