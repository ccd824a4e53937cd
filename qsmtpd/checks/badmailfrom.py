"""Refuse senders listed in control/badmailfrom: addresses, or @host; letter case does not count.  qmail says so at RCPT."""

from ..replies import SENDER_LISTED, Reply
from .base import Mail


class BadMailFrom:
    name = "badmailfrom"

    def __init__(self, listed: frozenset[bytes]) -> None:
        """listed  the lines of the file in lower case."""
        self.listed = listed

    async def __call__(self, mail: Mail, lookups: "Lookups") -> Reply | None:
        sender = (mail.sender or b"").lower()
        _, at, host = sender.rpartition(b"@")
        return SENDER_LISTED if sender in self.listed or (at and b"@" + host in self.listed) else None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
