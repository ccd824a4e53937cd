"""sender-ours: the sender is in one of the domains that we take mail for; sender-unknown: and has no mailbox there.

Both hold for clients with RELAYCLIENT too.  The null sender and one without a domain are not ours.
"""

from ..address import domain
from .base import LookupFailedError, Mail


def configured(source: "Source") -> "OurSender":
    """The check: it asks what is asked for recipients."""
    return OurSender(source.hosts, source.valid)


class OurSender:
    """The check of this module."""

    def __init__(self, hosts: "Hosts", valid: "Valid") -> None:
        self.hosts = hosts
        self.valid = valid

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        sender = mail.sender or b""
        host = domain(sender)
        findings: Findings = {"sender-ours": host is not None and self.hosts.has(host, None, lookups)}
        if "sender-unknown" in wanted:
            findings["sender-unknown"] = findings["sender-ours"] and await self._is_unknown(sender, lookups)
        for name, holds in findings.items():
            if holds:
                mail.reasons[name] = sender
        return findings

    async def _is_unknown(self, sender: bytes, lookups: "Lookups") -> bool | None:
        try:
            return await self.valid.knows(sender, lookups) is False
        except LookupFailedError as error:
            lookups.note(f"sender-unknown: {error}".encode("ascii", "replace"))
            return None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Hosts, Lookups, Source, Valid
