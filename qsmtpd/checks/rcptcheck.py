"""Whether the recipient exists, asked of a program, as Soffian's patch and others have it: RCPTCHECK, or control/rcptcheck.

The program is started for each recipient in our domains, and gets SENDER, RECIPIENT and HELO besides our environment.  Its exit
code is the answer:

    100             there is no such recipient
    111, 113, 120   trouble, too many, could not be executed: a temporary failure
    112             no opinion
    126, 127        what a shell says when a command is missing: a temporary failure too
    anything else   it exists
"""

from ..qmail.settings import Setting, Settings
from .base import LookupFailedError, Mail

SETTINGS = (Setting("rcptcheck", None, "A program that says whether a recipient exists; default: none."),)

UNKNOWN_RECIPIENT = 100
NO_OPINION = 112
TROUBLE = {
    111: "trouble", 113: "too many", 120: "it could not be executed", 126: "a command cannot be executed",
    127: "a command is missing"}


def configured(source: "Source") -> "RcptCheck | None":
    """The check; None when no program is named.

    Raises:
        ControlError: control/rcptcheck cannot be read.
    """
    program = Settings(SETTINGS, source.control).text("rcptcheck")
    return RcptCheck(program) if program else None


class RcptCheck:
    """Not a tag: the policy asks it when the databases do not say that the recipient does not exist.

    program  its path, absolute or from QMAILHOME
    """

    def __init__(self, program: bytes) -> None:
        self.program = program

    async def __call__(self, mail: Mail, lookups: "Lookups") -> bool | None:
        """Whether the recipient in hand exists; None when the program has no opinion.

        Raises:
            LookupFailedError: see above, or it crashed, or took too long.
        """
        code = await lookups.run(self.program, {
            b"SENDER": mail.sender or b"", b"RECIPIENT": mail.recipient, b"HELO": mail.helo or b""})
        if code in TROUBLE:
            raise LookupFailedError(f"rcptcheck: exit code {code}: {TROUBLE[code]}")
        return None if code == NO_OPINION else code != UNKNOWN_RECIPIENT


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups, Source
