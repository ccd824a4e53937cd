"""The exit codes of a QMAILQUEUE program and what a caller makes of them (qmail-queue(8) EXIT CODES, notqmail's qmail.c).

11 to 40 are permanent, and 115, which old programs say for 11; all others are temporary.  A caller that cannot tell what
happened takes it as temporary.
"""

QUEUED = 0
ADDRESS_TOO_LONG = 11
REFUSED = 31
OUT_OF_MEMORY = 51
TIMEOUT = 52
WRITE_ERROR = 53
READ_ERROR = 54
CONFIGURATION = 55
HOME_DIRECTORY = 61
QUEUE_FILES = 62
REFUSED_NOW = 71
COMMUNICATION = 74
INTERNAL_BUG = 81
CUSTOM = 82
CUSTOM_ERROR_FD = 88
"""sagredo's qmail and indimail: the text is on the descriptor that ERROR_FD names."""
ENVELOPE_FORMAT = 91
EXEC_FAILED = 120

_QUEUE_FILES = ("4.3.0", "qq trouble creating files in queue")

MEANINGS: dict[int, tuple[str, str]] = {
    11: ("5.1.3", "envelope address too long for qq"),
    31: ("5.3.0", "mail server permanently rejected message"),
    51: ("4.3.0", "qq out of memory"),
    52: ("4.3.0", "qq timeout"),
    53: ("4.3.0", "qq write error or disk full"),
    54: ("4.3.0", "qq read error"),
    55: ("4.3.0", "qq unable to read configuration"),
    56: ("4.3.0", "qq trouble making network connection"),
    61: ("4.3.0", "qq trouble in home directory"),
    62: _QUEUE_FILES,
    63: _QUEUE_FILES,
    64: _QUEUE_FILES,
    65: _QUEUE_FILES,
    66: _QUEUE_FILES,
    71: ("4.3.0", "mail server temporarily rejected message"),
    72: ("4.4.1", "connection to mail server timed out"),
    73: ("4.4.1", "connection to mail server rejected"),
    74: ("4.4.2", "communication with mail server failed"),
    81: ("4.3.0", "qq internal bug"),
    91: ("4.3.0", "qq internal bug"),
    115: ("5.1.3", "envelope address too long for qq"),
    120: ("4.3.0", "unable to exec qq"),
}
"""Exit code: enhanced status code, text."""

CRASHED = ("4.3.0", "qq crashed")
NO_EXIT_CODE = ("4.3.0", "qq waitpid surprise")


def meaning(code: int) -> tuple[str, str]:
    """The enhanced status code and the text that qmail.c gives an exit code other than 0; it begins with 5 when permanent."""
    if code in MEANINGS:
        return MEANINGS[code]
    if 11 <= code <= 40:
        return "5.3.0", "qq permanent problem"
    return "4.3.0", "qq temporary problem"
