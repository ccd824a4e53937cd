"""badrcptto: the recipient is listed in control/badrcptto; addresspatterns.py says what lines there are."""

from ..addresspatterns import AddressPatterns, entry
from ..listfiles import parsed
from .base import Mail


def configured(source: "Source") -> "BadRcptTo":
    """The check, its file read; an absent one lists nobody.

    Raises:
        ControlError: the file cannot be read, or has a line that is not understood.
    """
    return BadRcptTo(AddressPatterns(parsed(source.control, "badrcptto", entry) or ()))


class BadRcptTo:
    """The check of this module."""

    def __init__(self, listed: AddressPatterns) -> None:
        self.listed = listed

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        line = self.listed.find(mail.recipient)
        if line:
            mail.reasons["badrcptto"] = line + b" from badrcptto"
        return {"badrcptto": line != b""}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
