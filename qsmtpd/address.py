"""The argument of MAIL and RCPT: a path as qmail-smtpd's addrparse() reads it, and the parameters of RFC 5321.

There is one parser for the checks, the envelope and the log, so that what was checked is what is queued.  Quotes and
backslashes are removed, a source route is dropped, comments and "%" mean nothing, the last "@" decides the domain.
"""

ADDRESS_MAX = 899
"""qmail-smtpd refuses more than 900 bytes, its final NUL included."""

AT, BACKSLASH, QUOTE = b'@\\"'

_CONTROLS = bytes([*range(0x20), 0x7F])


class PathError(Exception):
    """The argument is no path, or has parameters that we do not know: 555."""


def parse(argument: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Parse what stands after MAIL or RCPT: the address, and the parameters.

    The address has no brackets, quotes, backslashes and route; it is b"" for <>.  The parameters are by their names in upper
    case, with b"" for one without a value.

    Without brackets the address begins after the first colon and ends at a blank.  Missing brackets, and text between the
    closing bracket and the next blank, are let pass, as qmail does.

    Raises:
        PathError: no path, a control character or NUL in it, more than 899 bytes, or a parameter twice.
    """
    _, bracket, rest = argument.partition(b"<")
    terminator = b">" if bracket else b" "
    if not bracket:
        _, colon, rest = argument.partition(b":")
        if not colon:
            raise PathError("no path")
        rest = rest.lstrip(b" ")
    if rest.startswith(b"@"):
        rest = rest.partition(b":")[2]
    if QUOTE in rest or BACKSLASH in rest:
        address, rest = _unquoted(rest, terminator[0])
    else:
        address, _, rest = rest.partition(terminator)
    if len(address) > ADDRESS_MAX or address.translate(None, _CONTROLS) != address:
        raise PathError("address too long, or with control characters")
    if address.endswith(b".") and AT in address:
        # user@example.org. is user@example.org: in every check, and in the envelope, where qmail-send would not know it.
        address = address[:-1]
    if bracket and rest:
        rest = rest.partition(b" ")[2]
    return address, _parameters(rest) if rest else {}


def domain(address: bytes) -> bytes | None:
    """What follows the last "@", A to Z in lower case; None without an "@"."""
    _, at, host = address.rpartition(b"@")
    return host.lower() if at else None


def is_utf8(address: bytes) -> bool:
    """Whether the bytes above 127 are what SMTPUTF8 lets stand there."""
    try:
        address.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unquoted(text: bytes, terminator: int) -> tuple[bytes, bytes]:
    """The address up to a terminator that is not quoted, and what follows it."""
    plain = bytearray()
    quoted = escaped = False
    for i, byte in enumerate(text):
        if escaped:
            plain.append(byte)
            escaped = False
        elif byte == terminator and not quoted:
            return bytes(plain), text[i + 1:]
        elif byte == BACKSLASH:
            escaped = True
        elif byte == QUOTE:
            quoted = not quoted
        else:
            plain.append(byte)
    return bytes(plain), b""


def _parameters(text: bytes) -> dict[bytes, bytes]:
    parameters = {}
    for word in text.split(b" "):
        if word:
            name, _, value = word.partition(b"=")
            if name.upper() in parameters:
                raise PathError("a parameter stands twice")
            parameters[name.upper()] = value
    return parameters
