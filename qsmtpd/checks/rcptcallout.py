"""Whether the recipient exists, asked of the server behind us (a callout), for domains whose mailboxes are there.

control/calloutrcpt names the domains, one a line, .suffix for all below it; control/smtproutes says which server has them.  Who
is known here already is not asked about.  docs/callouts.md tells the postmaster.
"""

from ..listfiles import parsed
from ..names import host_entry, host_keys
from .base import LookupFailedError, Mail


def configured(source: "Source") -> "RcptCallout":
    """The check.

    Raises:
        ControlError: calloutrcpt cannot be read, or a line is no domain.
    """
    return RcptCallout(frozenset(parsed(source.control, "calloutrcpt", host_entry) or ()))


class RcptCallout:
    """Not a tag: the policy asks it, last of all, about a recipient that it would accept."""

    def __init__(self, domains: frozenset[bytes]) -> None:
        self.domains = domains

    def concerns(self, host: bytes) -> bool:
        """Whether the mailboxes of a domain, in lower case, are at the server behind us."""
        return not self.domains.isdisjoint(host_keys(host))

    async def __call__(self, mail: Mail, lookups: "Lookups") -> bool | None:
        """True when nothing speaks against the recipient in hand, False when there is no such address.

        Raises:
            LookupFailedError: the server does not say: a temporary failure.
        """
        if mail.known or mail.host is None or not self.concerns(mail.host):
            return True
        exists = await lookups.callouts.recipient(mail.recipient)
        if exists is None:
            raise LookupFailedError("callout: no answer")
        return exists


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups, Source
