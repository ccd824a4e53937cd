"""The header of the message in hand, as far as it was kept.

header-broken     a line that is neither a field nor continues one, blanks before a colon or alone in a line, a NUL, a bare CR,
                  or more than one Content-Type: things that readers of mail take in different ways
header-huge       it is longer than what is kept: what was not found in it is unknown then
from-many no-from no-date no-message-id  how many of these fields there are
not-addressed     the recipient in hand is in neither To nor Cc, nor in Resent-To or Resent-Cc
mime-mixed ...    the type of the whole message; mime-plain too when no type is given, or none that could be one
"""

from ..headerfields import Fields, mime_type, names_address
from ..headersection import HEADER_MAX
from .base import LookupFailedError, Mail

TYPES = {
    "mime-mixed": b"multipart/mixed",
    "mime-alternative": b"multipart/alternative",
    "mime-html": b"text/html",
    "mime-plain": b"text/plain",
    "mime-signed": b"multipart/signed",
    "mime-encrypted": b"multipart/encrypted",
    "mime-report": b"multipart/report",
}

_MISSING = {"no-from": b"from", "no-date": b"date", "no-message-id": b"message-id"}
_ADDRESSED = (b"to", b"cc", b"resent-to", b"resent-cc")


def configured(source: "Source") -> "Header":
    """The check; it has no control file."""
    return Header()


class Header:
    """The check of this module; it reads a header once, however many recipients it is asked for."""

    def __init__(self) -> None:
        self._header: bytes | None = None
        self._found: Findings = {}
        self._reasons: dict[str, bytes] = {}
        self._addressed = b""

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        if mail.header is None:
            raise LookupFailedError("there is no message yet")
        if mail.header is not self._header:
            self._read(mail.header)
        mail.reasons.update(self._reasons)
        findings = dict(self._found)
        if "not-addressed" in wanted:
            findings["not-addressed"] = not names_address(self._addressed, mail.recipient) and self._unless_cut(True)
            mail.reasons["not-addressed"] = mail.recipient
        return findings

    def _read(self, header: bytes) -> None:
        """Find out all that is the same for each recipient."""
        self._header = header
        cut = len(header) >= HEADER_MAX
        fields = Fields(header[:header.rfind(b"\n") + 1] if cut else header)
        found: Findings = {"header-huge": cut}
        self._found = found
        found["header-broken"] = fields.fault != b"" or self._unless_cut(False)
        found["from-many"] = fields.count(b"from") > 1 or self._unless_cut(False)
        for name, field in _MISSING.items():
            found[name] = not fields.count(field) and self._unless_cut(True)
        types = {mime_type(value) for value in fields.values.get(b"content-type", ())}
        for name, kind in TYPES.items():
            found[name] = kind in types if types else self._unless_cut(kind == b"text/plain")
        self._addressed = b"\n".join([value for name in _ADDRESSED for value in fields.values.get(name, ())]).lower()
        self._reasons = {"header-broken": fields.fault} if fields.fault else {}
        self._reasons["from-many"] = b"%d From fields" % fields.count(b"from")

    def _unless_cut(self, value: bool) -> bool | None:
        """What is so when nothing else is found; of a header that was cut that is unknown."""
        return None if self._found["header-huge"] else value


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
