"""A world of which a test knows the answers: Lookups from a dict, a Mail with what a check looks at."""

from qsmtpd.address import domain
from qsmtpd.checks.base import LookupFailedError, Mail


class DictLookups:
    """databases  name: keys; own  our addresses; broken  names that cannot be read.  asked  what was asked, in order."""

    def __init__(
            self, databases: dict[str, set[bytes]] | None = None, own: frozenset[bytes] = frozenset(),
            broken: frozenset[str] = frozenset(),
    ) -> None:
        self.databases = databases or {}
        self.own = own
        self.broken = broken
        self.asked: list[tuple[str, bytes]] = []

    async def has_key(self, name: str, key: bytes) -> bool | None:
        self.asked.append((name, key))
        if name in self.broken:
            raise LookupFailedError(name)
        return key in self.databases[name] if name in self.databases else None

    async def is_own_address(self, ip: bytes) -> bool:
        return ip in self.own


def mail(recipient: bytes = b"", *, sender: bytes = b"", relay: bytes | None = None, blocked: bytes | None = None) -> Mail:
    """A Mail with a recipient in hand."""
    known = Mail(relay, blocked)
    known.sender = sender
    known.recipient = recipient
    known.host = domain(recipient)
    return known
