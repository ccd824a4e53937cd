"""Tags of the kinds dnsbl and dnswl in control/tags: whether a zone in the DNS lists the client, by a code that counts.

Which zones are believed, and which are not asked, says zones.py.  The client's address is all that is asked for.
"""

from ..zones import ListCheck, Points, of_address
from .base import LookupFailedError


def configured(source: "Source") -> ListCheck:
    """Reads nothing: control/tags is read already."""
    return ListCheck({name: tag for name, tag in source.tags.items() if tag.kind in ("dnsbl", "dnswl")}, points)


def points(mail: "Mail") -> Points:
    """What the zones are asked of.

    Raises:
        LookupFailedError: nobody has said who the client is.
    """
    try:
        return of_address(mail.ip)
    except ValueError as error:
        raise LookupFailedError("the client's address is not known") from error


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Mail, Source
