"""The lines of badmailfrom and badrcptto.

    user@host, user   this address
    @host             any at the host
    .suffix @.suffix  any at a host below it
    user@             this user at any host
    *                 in any of the first two: any number of any bytes, at most eight times in a line

Letter case of A to Z does not count.  No line is about the null sender, which is not an address.

Other programs read other things in files of these names.  Sagredo's and indimail's qmail have regular expressions, which let a
stranger's address take as long as it likes, and lines that begin with "!" for exceptions, as s/qmail has: neither is taken
over.  A line that looks like either is an error, not an address that nobody has: its author would believe that it works.  An
exception is a rule above ("friends accept", with a tag of kind sender).
"""

from .names import address_keys

STARS_MAX = 8

_OF_EXPRESSIONS = b"^$([\\?|"


class AddressPatterns:
    """A whole file."""

    __slots__ = ("_entries", "_patterns")

    def __init__(self, entries: "Iterable[bytes]") -> None:
        """entries  lines as entry() returns them."""
        plain = set()
        self._patterns: list[tuple[bytes, list[bytes]]] = []
        for line in entries:
            if b"*" in line:
                self._patterns.append((line, line.split(b"*")))
            else:
                plain.add(line)
        self._entries = frozenset(plain)

    def find(self, address: bytes) -> bytes:
        """The entry that an address is listed by, b"" when there is none."""
        if not address:
            return b""
        address = address.lower()
        for key in (address, *address_keys(address)):
            if key in self._entries:
                return key
        return next((line for line, pieces in self._patterns if _fits(pieces, address)), b"")


def entry(line: bytes) -> bytes:
    """A line as it is compared: in lower case, one form for each meaning.

    Raises:
        ValueError: it is a regular expression, an exception, or has too many stars; the message is printable ASCII.
    """
    found = line.lower()
    if found.startswith(b"!"):
        raise ValueError('"!" makes no exception here: write a rule above')
    if any(byte in _OF_EXPRESSIONS for byte in _without_literal(found)) or found.startswith(b".*") or b".*@" in found:
        raise ValueError('expected an address, in which "*" stands for anything: regular expressions are not understood')
    if found.startswith(b"@."):
        found = found[1:]
    while b"**" in found:
        found = found.replace(b"**", b"*")
    if found.count(b"*") > STARS_MAX:
        raise ValueError(f"expected at most {STARS_MAX} stars")
    return found


def _without_literal(line: bytes) -> bytes:
    """The line without a "[192.0.2.1]" at its end, which is an address and no expression."""
    user, at, host = line.rpartition(b"@[")
    inside = host[:-1].removeprefix(b"ipv6:")
    literal = host.endswith(b"]") and (b"." in inside or b":" in inside) and not inside.strip(b"0123456789abcdef.:")
    return user if at and literal else line


def _fits(pieces: list[bytes], text: bytes) -> bool:
    """Whether the text is the pieces in this order, with anything between them.

    Each is taken where it is found first: if that one does not fit, no later one does, so nothing is tried twice (A86).
    """
    first, last = pieces[0], pieces[-1]
    end = len(text) - len(last)
    at = len(first)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in pieces[1:-1]:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
