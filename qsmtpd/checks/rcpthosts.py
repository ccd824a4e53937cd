"""Refuse recipients in domains that are not ours: control/rcpthosts, then control/morercpthosts.cdb (qmail-smtpd(8)).

An entry is a host, or .suffix for all hosts below it.  A client with RELAYCLIENT may send anywhere, and an address without "@"
is local.  Without rcpthosts qmail-smtpd accepts every domain: we accept none, for an absent file must not open a relay.
"""

from ..replies import NO_GATEWAY, Reply
from .base import Mail


class RcptHosts:
    """The check of this module; the policy asks has() first, then calls it for its opinion."""

    name = "rcpthosts"

    def __init__(self, listed: frozenset[bytes] | None) -> None:
        """listed  the lines of rcpthosts in lower case, None when there is no such file."""
        self.listed = listed

    async def has(self, mail: Mail, lookups: "Lookups") -> bool:
        """Whether mail for the recipient in hand is ours to take."""
        host = mail.host
        if mail.relay is not None or host is None:
            return True
        if self.listed is None:
            return False
        if host in self.listed:
            return True
        names = with_suffixes(host)
        if not self.listed.isdisjoint(names):
            return True
        for name in names:
            if await lookups.has_key("morercpthosts.cdb", name):
                return True
        return False

    async def __call__(self, mail: Mail, lookups: "Lookups") -> Reply | None:
        return None if mail.ours else NO_GATEWAY


def with_suffixes(host: bytes) -> list[bytes]:
    """a.b.example: itself, .b.example, .example."""
    return [host] + [host[i:] for i in range(1, len(host)) if host[i] == 0x2E]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
