"""What the DNS says of the name in HELO, and whether an address in its place is the client's.

helo-nodns   a name with a dot in it that has neither an address nor an MX record
helo-forged  an address, bare or in brackets, that is not the client's.  No DNS is asked for that.  A mail program behind NAT
             says its private address: such clients are to be exempted by "relay accept" above

A name that leads to other addresses than the client's is no forgery: many servers send from an address of their own.
"""

from ..netblock import address
from .base import LookupFailedError


class HeloDns:
    """The check of this module; its two words have nothing in common but HELO."""

    def questions(self, mail: "Mail", wanted: tuple[str, ...]) -> "Sequence[Question]":
        """The address; the rest only when there is none."""
        return [(name, "A")] if "helo-nodns" in wanted and (name := _name(mail)) else ()

    async def __call__(self, mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        found: Findings = {}
        if "helo-forged" in wanted:
            found["helo-forged"] = _forged(mail)
        if "helo-nodns" in wanted:
            try:
                found["helo-nodns"] = await _unknown_to_dns(mail, lookups)
            except LookupFailedError as error:
                lookups.note(str(error).encode("ascii", "replace"))
                found["helo-nodns"] = None
        return found


def configured(source: "Source") -> HeloDns:
    """There is nothing to configure."""
    return HeloDns()


def _said(helo: bytes) -> "Address | None":
    """The address that stands in place of a name; None for a name."""
    text = helo
    if helo.startswith(b"[") and helo.endswith(b"]"):
        text = helo[1:-1]
        if text[:5].lower() == b"ipv6:":
            text = text[5:]
    try:
        return address(text)
    except ValueError:
        return None


def _name(mail: "Mail") -> bytes | None:
    """A name of which the DNS should know."""
    helo = (mail.helo or b"").lower().removesuffix(b".")
    return None if b"." not in helo or helo.startswith(b"[") or _said(helo) else helo


def _forged(mail: "Mail") -> bool | None:
    said = _said(mail.helo or b"")
    if said is None:
        return False
    try:
        client = address(mail.ip)
    except ValueError:
        return None
    if said != client:
        mail.reasons["helo-forged"] = (mail.helo or b"") + b" is not " + mail.ip
    return said != client


async def _unknown_to_dns(mail: "Mail", lookups: "Lookups") -> bool:
    name, dns = _name(mail), lookups.dns
    if not name or await dns.ask(name, "A"):
        return False
    await dns.prefetch([(name, "AAAA"), (name, "MX")])
    if await dns.ask(name, "AAAA") or await dns.ask(name, "MX"):
        return False
    mail.reasons["helo-nodns"] = name + b" is not in the DNS"
    return True


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..netblock import Address
    from .base import Findings, Lookups, Mail, Question, Source
