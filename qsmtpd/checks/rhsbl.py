"""Tags of the kind rhsbl in control/tags: whether a zone in the DNS lists the domain of the sender, by a code that counts.

The null sender has no domain.  Which zones are believed, and which are not asked, says zones.py.
"""

from ..address import domain
from ..zones import ListCheck, Points, of_domain
from .base import LookupFailedError


def configured(source: "Source") -> ListCheck:
    """Reads nothing: control/tags is read already."""
    return ListCheck({name: tag for name, tag in source.tags.items() if tag.kind == "rhsbl"}, points)


def points(mail: "Mail") -> Points | None:
    """What the zones are asked of; None when the sender has no domain.  Asked for an address, lists of domains answer nonsense.

    Raises:
        LookupFailedError: the domain is not in ASCII, and we do not know how the DNS spells it.
    """
    host = domain(mail.sender or b"")
    if not host or host.startswith(b"[") or host.rpartition(b".")[2].isdigit():
        return None
    if not host.isascii():
        raise LookupFailedError("the sender's domain is not in ASCII")
    return of_domain(host)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Mail, Source
