"""The exit codes against the table of qmail-queue(8) and notqmail's qmail.c, written down here a second time."""

import pytest

from qsmtpd.qmail import exitcodes
from qsmtpd.qmail.exitcodes import meaning

TABLE = {
    11: "554 envelope address too long for qq (#5.1.3)",
    31: "554 mail server permanently rejected message (#5.3.0)",
    51: "451 qq out of memory (#4.3.0)",
    52: "451 qq timeout (#4.3.0)",
    53: "451 qq write error or disk full (#4.3.0)",
    54: "451 qq read error (#4.3.0)",
    55: "451 qq unable to read configuration (#4.3.0)",
    56: "451 qq trouble making network connection (#4.3.0)",
    61: "451 qq trouble in home directory (#4.3.0)",
    62: "451 qq trouble creating files in queue (#4.3.0)",
    63: "451 qq trouble creating files in queue (#4.3.0)",
    64: "451 qq trouble creating files in queue (#4.3.0)",
    65: "451 qq trouble creating files in queue (#4.3.0)",
    66: "451 qq trouble creating files in queue (#4.3.0)",
    71: "451 mail server temporarily rejected message (#4.3.0)",
    72: "451 connection to mail server timed out (#4.4.1)",
    73: "451 connection to mail server rejected (#4.4.1)",
    74: "451 communication with mail server failed (#4.4.2)",
    81: "451 qq internal bug (#4.3.0)",
    91: "451 qq internal bug (#4.3.0)",
    115: "554 envelope address too long for qq (#5.1.3)",
    120: "451 unable to exec qq (#4.3.0)",
}


def expected(code: int) -> str:
    if code in TABLE:
        return TABLE[code]
    return "554 qq permanent problem (#5.3.0)" if 11 <= code <= 40 else "451 qq temporary problem (#4.3.0)"


def reply(code: int) -> str:
    status, text = meaning(code)
    return f"{554 if status.startswith('5') else 451} {text} (#{status})"


@pytest.mark.parametrize("code", range(1, 256))
def test_every_code(code: int) -> None:
    assert expected(code) == reply(code)


@pytest.mark.parametrize("code", range(256))
def test_permanent_is_11_to_40_and_the_old_115(code: int) -> None:
    """A140: what is not known to be permanent is tried again; a crash or a traceback (1) never bounces mail."""
    assert meaning(code)[0].startswith("5") == (11 <= code <= 40 or code == 115)


def test_a_program_that_crashed_is_tried_again() -> None:
    """A140."""
    assert exitcodes.CRASHED == ("4.3.0", "qq crashed")
    assert exitcodes.NO_EXIT_CODE == ("4.3.0", "qq waitpid surprise")


def test_names() -> None:
    """The names that programs exit with are the codes of qmail-queue.c."""
    assert (exitcodes.ADDRESS_TOO_LONG, exitcodes.REFUSED, exitcodes.OUT_OF_MEMORY, exitcodes.TIMEOUT) == (11, 31, 51, 52)
    assert (exitcodes.WRITE_ERROR, exitcodes.READ_ERROR, exitcodes.CONFIGURATION) == (53, 54, 55)
    assert (exitcodes.HOME_DIRECTORY, exitcodes.QUEUE_FILES, exitcodes.REFUSED_NOW) == (61, 62, 71)
    assert (exitcodes.COMMUNICATION, exitcodes.INTERNAL_BUG, exitcodes.CUSTOM) == (74, 81, 82)
    assert (exitcodes.CUSTOM_ERROR_FD, exitcodes.ENVELOPE_FORMAT, exitcodes.EXEC_FAILED) == (88, 91, 120)
