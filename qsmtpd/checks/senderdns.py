"""What the DNS says of the sender's domain.

sender-nodns   it has neither an MX nor an address record: nothing could answer the sender
sender-nullmx  it says that it takes no mail (RFC 7505), so nobody sends mail from there

Both are false of the null sender and of an address literal, and unknown of a domain that is not in ASCII.
"""

from ..address import domain
from .base import LookupFailedError


class SenderDns:
    """The check of this module."""

    def questions(self, mail: "Mail", wanted: tuple[str, ...]) -> "Sequence[Question]":
        """The MX; addresses only when there is none."""
        host = _host(mail)
        return [(host, "MX")] if host and host.isascii() else ()

    async def __call__(self, mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        host = _host(mail)
        if not host:
            return dict.fromkeys(wanted, False)
        if not host.isascii():
            raise LookupFailedError("the sender's domain is not in ASCII")
        found: Findings = dict.fromkeys(wanted)
        exchangers = await _exchangers(host, lookups)
        if exchangers is not None:
            found["sender-nullmx"] = exchangers == (b"",)
            if found["sender-nullmx"]:
                mail.reasons["sender-nullmx"] = host + b" has a null MX"
        if "sender-nodns" in wanted:
            has = True if exchangers else await _has_address(host, lookups)
            found["sender-nodns"] = False if has else None if has is None or exchangers is None else True
            if found["sender-nodns"]:
                mail.reasons["sender-nodns"] = host + b" has no MX and no address"
        return found


def configured(source: "Source") -> SenderDns:
    """There is nothing to configure."""
    return SenderDns()


def _host(mail: "Mail") -> bytes | None:
    host = domain(mail.sender or b"")
    return None if not host or host.startswith(b"[") else host


async def _exchangers(host: bytes, lookups: "Lookups") -> tuple[bytes, ...] | None:
    """The MX records of a name; None when nobody says."""
    try:
        return await lookups.dns.ask(host, "MX")
    except LookupFailedError as error:
        lookups.note(str(error).encode("ascii", "replace"))
        return None


async def _has_address(host: bytes, lookups: "Lookups") -> bool | None:
    """Whether a name has an address; None when nobody says."""
    has: bool | None = False
    await lookups.dns.prefetch([(host, "A"), (host, "AAAA")])
    for kind in ("A", "AAAA"):
        try:
            if await lookups.dns.ask(host, kind):
                return True
        except LookupFailedError as error:
            lookups.note(str(error).encode("ascii", "replace"))
            has = None
    return has


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Findings, Lookups, Mail, Question, Source
