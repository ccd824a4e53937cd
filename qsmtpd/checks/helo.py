"""What the client calls itself.

helo-none     nothing: no HELO or EHLO, or one without a name
helo-oneword  a name without a dot, "localhost" among them
helo-literal  an address, with brackets or without
helo-ours     our own name or address, and it is not us: me, the name in smtpgreeting, a line of control/locals, the address
              that it is connected to.  It is us when it has RELAYCLIENT, or comes from one of our own addresses
"""

from ..netblock import address
from ..qmail.settings import Setting, Settings
from .base import LookupFailedError, Mail

LOOPBACK = 127
LOOPBACK_V6 = (128, 1)


def configured(source: "Source") -> "Helo":
    """The check, our names read.

    Raises:
        ControlError: a control file cannot be read.
    """
    control = source.control
    me = control.line("me") or b""
    greeting = Settings((Setting("smtpgreeting", None, ""),), control).text("smtpgreeting") or me
    names = [me, greeting.partition(b" ")[0], *(control.lines("locals") or ())]
    return Helo(frozenset([_plain(name) for name in names if name]))


class Helo:
    """The check of this module."""

    def __init__(self, names: frozenset[bytes]) -> None:
        """names  ours, in lower case."""
        self.names = names

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        name = _plain(mail.helo or b"")
        literal = name.startswith(b"[") or _address(name) is not None
        findings: Findings = {
            "helo-none": not name, "helo-literal": literal, "helo-oneword": name != b"" and not literal and b"." not in name}
        if "helo-ours" in wanted:
            findings["helo-ours"] = await self._is_ours(name, mail, lookups)
        for each, holds in findings.items():
            if holds and name:
                mail.reasons[each] = name
        return findings

    async def _is_ours(self, name: bytes, mail: Mail, lookups: "Lookups") -> bool | None:
        """Whether somebody else bears our name; None when we cannot say whether it is somebody else."""
        number = _address(name)
        if name not in self.names and (number is None or number != _address(mail.local_ip)):
            return False
        client = _address(mail.ip)
        if mail.relay is not None or client is None:
            return False
        if client in (_address(mail.local_ip), LOOPBACK_V6) or (client[0] == 32 and client[1] >> 24 == LOOPBACK):
            return False
        try:
            return not await lookups.is_own_address(mail.ip)
        except LookupFailedError as error:
            lookups.note(f"helo-ours: {error}".encode("ascii", "replace"))
            return None


def _plain(name: bytes) -> bytes:
    """In lower case, without a dot at the end."""
    return name.lower().removesuffix(b".")


def _address(name: bytes) -> "Address | None":
    """The address that a name is, in brackets (RFC 5321 section 4.1.3) or without; None when it is none."""
    if name.startswith(b"[") and name.endswith(b"]"):
        name = name[1:-1].removeprefix(b"ipv6:")
    try:
        return address(name)
    except ValueError:
        return None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..netblock import Address
    from .base import Findings, Lookups, Source
