"""The words about a header: read once, for the check of the session and for qqshim.

header-broken     a line that is neither a field nor continues one, blanks before a colon or alone in a line, a NUL, a bare CR,
                  or more than one Content-Type: things that readers of mail take in different ways
header-huge       it is longer than what is kept: what was not found in it is unknown then
from-many no-from no-date no-message-id  how many of these fields there are
not-addressed     a recipient is in neither To nor Cc, nor in Resent-To or Resent-Cc
mime-mixed ...    the type of the whole message; mime-plain too when no type is given, or none that could be one
"""

from .headerfields import Fields, mime_type, names_address

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


class HeaderWords:
    """What one header comes to.

    values   name: True, False, or None for unknown; all that is the same for each recipient
    reasons  name: why it holds
    """

    __slots__ = ("_addressed", "_cut", "reasons", "values")

    def __init__(self, header: bytes, *, cut: bool) -> None:
        """header  lines that end in LF; cut  only the beginning of a longer one"""
        self._cut = cut
        fields = Fields(header[:header.rfind(b"\n") + 1] if cut else header)
        self.values: dict[str, bool | float | None] = {"header-huge": cut}
        found = self.values
        found["header-broken"] = fields.fault != b"" or self._unless_cut(False)
        found["from-many"] = fields.count(b"from") > 1 or self._unless_cut(False)
        for name, field in _MISSING.items():
            found[name] = not fields.count(field) and self._unless_cut(True)
        types = {mime_type(value) for value in fields.values.get(b"content-type", ())}
        for name, kind in TYPES.items():
            found[name] = kind in types if types else self._unless_cut(kind == b"text/plain")
        self._addressed = b"\n".join([value for name in _ADDRESSED for value in fields.values.get(name, ())]).lower()
        self.reasons = {"header-broken": fields.fault} if fields.fault else {}
        self.reasons["from-many"] = b"%d From fields" % fields.count(b"from")

    def not_addressed(self, recipient: bytes) -> bool | None:
        """The word of this name, for one recipient."""
        return not names_address(self._addressed, recipient) and self._unless_cut(True)

    def _unless_cut(self, value: bool) -> bool | None:
        """What is so when nothing else is found; of a header that was cut that is unknown."""
        return None if self._cut else value
