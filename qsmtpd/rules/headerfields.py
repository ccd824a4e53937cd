"""The fields of a header section (RFC 5322): what is wrong with it, and what a few of its fields say.

It is read once, line by line, by nothing that looks back: the time is that of its length, whatever stands in it (A83, A85).
Where parsers are known to differ, nothing is picked in silence: it is a fault, and both readings count (A82).
"""

KEPT = frozenset((b"from", b"date", b"message-id", b"to", b"cc", b"resent-to", b"resent-cc", b"content-type"))

_NAME = bytes(byte for byte in range(33, 127) if byte != 0x3A)
_TOKEN = frozenset(range(33, 127)) - frozenset(b'()<>@,;:\\"/[]?=')
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789") | frozenset(range(128, 256))
_HOST = _LETTERS | frozenset(b"-_")
_ATOM = _LETTERS | frozenset(b"!#$%&'*+-/=?^_`{|}~.@")


class Fields:
    """What was read.

    fault   the first thing wrong, as a phrase; b"" when nothing is
    values  name in lower case: what stands behind the colon of each field of that name, its continuation lines included; of
            those in KEPT only
    """

    __slots__ = ("fault", "values")

    def __init__(self, header: bytes) -> None:
        """header  lines that end in LF, as far as the first empty one."""
        self.fault = b""
        self.values: dict[bytes, list[bytes]] = {}
        pieces: dict[bytes, list[list[bytes]]] = {}
        current: list[bytes] | None = None
        number = 0
        for number, line in enumerate(header.split(b"\n"), 1):
            if not line:
                break
            if line[0] in b" \t":
                fault = _fault_of_continuation(line, number)
                if current is not None:
                    current.append(line)
            else:
                name, fault, value = _field(line)
                current = [value] if name in KEPT else None
                if current is not None:
                    pieces.setdefault(name, []).append(current)
            if fault and not self.fault:
                self.fault = b"line %d: %b" % (number, fault)
        for name, fields in pieces.items():
            self.values[name] = [b"\n".join(lines) for lines in fields]
        self.fault = self.fault or _fault_of_all(header, self.values)

    def count(self, name: bytes) -> int:
        return len(self.values.get(name, ()))


def _fault_of_continuation(line: bytes, number: int) -> bytes:
    if number == 1:
        return b"continues nothing"
    return b"" if line.strip(b" \t") else b"blanks only"


def _field(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Name in lower case, fault, value.  "From :" is a fault, and a From field to those who let it pass."""
    name, colon, value = line.partition(b":")
    plain = name.rstrip(b" \t")
    if not colon or not plain or plain.translate(None, _NAME):
        return b"", b"no field", b""
    return plain.lower(), b"" if plain == name else b"a blank before the colon", value


def _fault_of_all(header: bytes, values: "Mapping[bytes, Sequence[bytes]]") -> bytes:
    if b"\0" in header:
        return b"a NUL"
    if b"\r" in header:
        return b"a bare CR"
    return b"more than one Content-Type" if len(values.get(b"content-type", ())) > 1 else b""


def mime_type(value: bytes) -> bytes:
    """TYPE/SUBTYPE in lower case, of the value of a Content-Type field; text/plain when it is none (RFC 2045 section 5.2).

    What follows the subtype without a semicolon is let pass, as most readers of mail do.
    """
    kind, slash, rest = _before_parameters(value).partition(b"/")
    words = rest.split(None, 1)
    kind, subtype = kind.strip().lower(), words[0].lower() if words else b""
    if not (slash and kind and subtype and _TOKEN.issuperset(kind) and _TOKEN.issuperset(subtype)):
        return b"text/plain"
    return kind + b"/" + subtype


def _before_parameters(value: bytes) -> bytes:
    """What stands before the first semicolon, comments replaced by blanks, however deep they are."""
    if b"(" not in value:
        return value.partition(b";")[0]
    text = bytearray()
    depth = 0
    escaped = False
    for byte in value:
        if escaped:
            escaped = False
        elif depth and byte == 0x5C:
            escaped = True
        elif byte == 0x28:
            depth += 1
            text.append(0x20)
        elif depth:
            depth -= byte == 0x29
        elif byte == 0x3B:
            break
        else:
            text.append(byte)
    return bytes(text)


def names_address(text: bytes, address: bytes) -> bool:
    """Whether an address stands in the values of address fields, letter case aside.

    It is looked for as it would be written, with a quoted local part too, and must not be part of a longer one.  Encoded words
    are not decoded: no address stands in one (RFC 2047 section 5).  An address without "@" is found with any domain.

    text  in lower case
    """
    user, at, host = address.lower().rpartition(b"@")
    if not at:
        return _stands_in(text, host, b"@")
    quoted = b'"%b"@%b' % (user.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), host)
    return _stands_in(text, user + at + host, b"") or _stands_in(text, quoted, b"")


def _stands_in(text: bytes, address: bytes, may_follow: bytes) -> bool:
    at = text.find(address) if address else -1
    while at >= 0:
        end = at + len(address)
        if (not at or text[at - 1] not in _ATOM) and (text[end:end + 1] == may_follow != b"" or not _goes_on(text, end)):
            return True
        at = text.find(address, at + 1)
    return False


def _goes_on(text: bytes, end: int) -> bool:
    """Whether a host name goes on behind its end; a dot that nothing follows is the end of a sentence."""
    if text[end:end + 1] == b".":
        end += 1
    elif text[end:end + 1] == b"@":
        return True
    return end < len(text) and text[end] in _HOST


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
