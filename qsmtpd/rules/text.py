"""The texts of rules: what stands between the quotes becomes lines of a reply, of a header or of the log.

The text is the postmaster's, its placeholders are filled in with what came from the network.  Each is filled in once: what a
value holds is never looked at again (A45), nor can it end a line or be longer than 100 bytes (A44, A51).
"""

PLACEHOLDERS = ("ip", "ptr", "helo", "sender", "rcpt", "lists", "reason", "until", "score", "rule")
"""What may stand in braces."""

VALUE_MAX = 100
"""Bytes of a value; the rest is cut off."""

LINE_MAX = 998
"""Bytes of a header field (RFC 5322 section 2.1.1)."""

_BYTES = bytes.maketrans(b"", b"")
_NOT_PRINTABLE = _BYTES[:0x20] + _BYTES[0x7F:]
_TO_PRINTABLE = bytes.maketrans(_NOT_PRINTABLE, b"?" * len(_NOT_PRINTABLE))


def fill(text: str, values: "Mapping[str, bytes]") -> list[bytes]:
    """The lines of a reply, in printable ASCII; a value that is missing is empty.

    text  as it stands between the quotes, with the escapes \\" and \\n
    """
    return [_filled(line, values) for line in text.split("\\n")]


def fill_line(text: str, values: "Mapping[str, bytes]") -> bytes:
    """The same as one line of at most 998 bytes, for a header or a log."""
    return b" ".join(fill(text, values))[:LINE_MAX]


def _filled(line: str, values: "Mapping[str, bytes]") -> bytes:
    first, *others = line.replace("\t", " ").encode("ascii", "replace").replace(b'\\"', b'"').split(b"{")
    found = [first.translate(_TO_PRINTABLE)]
    for part in others:
        name, _, rest = part.partition(b"}")
        found.append(values.get(name.decode("ascii"), b"")[:VALUE_MAX].translate(_TO_PRINTABLE))
        found.append(rest.translate(_TO_PRINTABLE))
    return b"".join(found)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
