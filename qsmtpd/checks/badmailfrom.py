"""badmailfrom: the sender is listed in control/badmailfrom; addresspatterns.py says what lines there are."""

from ..addresspatterns import AddressPatterns, entry
from ..listfiles import parsed
from .base import Mail


def configured(source: "Source") -> "BadMailFrom":
    """The check, its file read; an absent one lists nobody.

    Raises:
        ControlError: the file cannot be read, or has a line that is not understood.
    """
    return BadMailFrom(AddressPatterns(parsed(source.control, "badmailfrom", entry) or ()))


class BadMailFrom:
    """The check of this module."""

    def __init__(self, listed: AddressPatterns) -> None:
        self.listed = listed

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        line = self.listed.find(mail.sender or b"")
        if line:
            mail.reasons["badmailfrom"] = line + b" from badmailfrom"
        return {"badmailfrom": line != b""}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
