"""Refuse every recipient of a client for which tcp.smtp or rblsmtpd has set RBLSMTPD.

The text is answered as rblsmtpd(1) does: 553 when it begins with "-", else 451.  An empty RBLSMTPD lets the client pass.
It is said at RCPT, so that the log has the recipients, and whether they exist or not, so that nobody learns who does.
"""

from ..replies import Reply, blocked
from .base import Mail


class Blocked:
    name = "blocked"

    async def __call__(self, mail: Mail, lookups: "Lookups") -> Reply | None:
        return blocked(mail.blocked) if mail.blocked else None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
