"""Which domains are ours: control/rcpthosts, then control/morercpthosts.cdb (qmail-smtpd(8)).

An entry is a host, or .suffix for all hosts below it.  A client with RELAYCLIENT may send anywhere, and an address without "@"
is local.  Without rcpthosts qmail-smtpd accepts every domain: we accept none, for an absent file must not open a relay.
"""


class RcptHosts:
    """What the policy asks for every recipient: safety, not a rule's to change."""

    def __init__(self, listed: frozenset[bytes] | None) -> None:
        """listed  the lines of rcpthosts in lower case, None when there is no such file."""
        self.listed = listed

    def has(self, host: bytes | None, relay: bytes | None, lookups: "Lookups") -> bool:
        """Whether mail for a domain is ours to take.

        host   in lower case; None for an address without a domain
        relay  what RELAYCLIENT says, None when it is not set
        """
        if relay is not None or host is None:
            return True
        if self.listed is None:
            return False
        if host in self.listed:
            return True
        names = with_suffixes(host)
        if not self.listed.isdisjoint(names):
            return True
        return any(lookups.has_key("morercpthosts.cdb", name) for name in names)


def with_suffixes(host: bytes) -> list[bytes]:
    """a.b.example: itself, .b.example, .example."""
    return [host] + [host[i:] for i in range(1, len(host)) if host[i] == 0x2E]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
