"""sessions, net-sessions: connections that stand with our port, this one included, from the client's address and from its
netblock, which is the /24 of an IPv4 address and the /64 of an IPv6 address.
"""

from .base import LookupFailedError, Mail


def configured(source: "Source") -> "Sessions":
    """The check; it has no control file."""
    return Sessions()


class Sessions:
    """The check of this module."""

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        if mail.local_port is None:
            raise LookupFailedError("our port is not known")
        of_address, of_netblock = lookups.machine.sessions(mail.ip, mail.local_port)
        return {"sessions": of_address, "net-sessions": of_netblock}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
