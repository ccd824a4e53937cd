"""Whether the sender exists, asked of the servers of its domain (a callout), for domains that are often forged.

    sender-ok, sender-bad   both unknown while the answer is not there

control/calloutdomains names the domains, one a line, .suffix for all below it; without the file nobody is asked.  Both tags
are false for other domains, for the null sender, and for a client that may relay.  docs/callouts.md tells the postmaster.
"""

from ..address import domain
from ..listfiles import parsed
from ..names import host_entry, host_keys
from .base import LookupFailedError, Mail


def configured(source: "Source") -> "SenderCallout":
    """The check.

    Raises:
        ControlError: calloutdomains cannot be read, or a line is no domain.
    """
    return SenderCallout(frozenset(parsed(source.control, "calloutdomains", host_entry) or ()))


class SenderCallout:
    """One answer is both tags."""

    def __init__(self, domains: frozenset[bytes]) -> None:
        self.domains = domains

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        host = domain(mail.sender or b"")
        if not mail.sender or host is None or mail.relay is not None or self.domains.isdisjoint(host_keys(host)):
            return {"sender-ok": False, "sender-bad": False}
        try:
            exists = await lookups.callouts.sender(mail.sender)
        except LookupFailedError as error:  # one answer is both, and so is none: who asks for the other waits no second time
            lookups.note(f"sendercallout: {error}".encode("ascii", "replace"))
            exists = None
        if exists is None:
            return {"sender-ok": None, "sender-bad": None}
        if exists:
            mail.reasons["sender-ok"] = b"%b takes mail for the sender" % host
        else:
            mail.reasons["sender-bad"] = b"%b says that there is no such sender" % host
        return {"sender-ok": exists, "sender-bad": not exists}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
