"""What the DNS says of the client's name.  TCPREMOTEHOST, when it is set, is the name; when it is not, we ask.

noptr            the address has no name: the DNS said so, to us
ptr-unconfirmed  it has names, and none of the first NAMES leads back to it
ptr-generic      it has names, and each looks like one that a provider gives to a line, not to a mail server: by a word of
                 control/genericptr, or because the address itself is in the name

Without a name the other two are false.  A line of control/genericptr is a word, which has to stand in front of the last two
labels, between digits, dots or hyphens; or .SUFFIX, with which the name has to end.  The file replaces the words below.
"""

from ..netblock import address, reverse, written
from .base import LookupFailedError

NAMES = 5
"""Names that are looked at; more at one address are nobody's server."""
NAME_MAX = 255

WORDS = frozenset(
    b"adsl broadband cable cablemodem catv client clients cpe cust customer customers dhcp dial dialin dialup dialuppool dip "
    b"dsl dyn dynamic dynamicip dynip ftth gpon hsd mobile modem pool pools ppp pppoe pptp res residential sdsl user users "
    b"vdsl wimax wireless xdsl".split())
"""What control/genericptr is without the file."""


class Rdns:
    """The check of this module."""

    def __init__(self, patterns: "Iterable[bytes]") -> None:
        """patterns  the lines of control/genericptr in lower case."""
        self._words = frozenset(each for each in patterns if not each.startswith(b"."))
        self._suffixes = tuple(each for each in patterns if each.startswith(b"."))

    def questions(self, mail: "Mail", wanted: tuple[str, ...]) -> "Sequence[Question]":
        """The client's name, or, when it is known, its addresses."""
        client = _client(mail)
        if client is None:
            return ()
        if mail.ptr is None:
            return [(reverse(mail.ip), "PTR")]
        return [(mail.ptr, _family(client))] if "ptr-unconfirmed" in wanted else ()

    async def __call__(self, mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        client = _client(mail)
        if client is None:
            raise LookupFailedError("the client's address is not known")
        names = await _names(mail, lookups)
        found: Findings = {"noptr": not names}
        if not names:
            mail.reasons["noptr"] = mail.ip + b" has no name"
        if "ptr-generic" in wanted:
            found["ptr-generic"] = bool(names) and all(self.generic(name, client) for name in names)
            if found["ptr-generic"]:
                mail.reasons["ptr-generic"] = names[0]
        if "ptr-unconfirmed" in wanted:
            found["ptr-unconfirmed"] = await _unconfirmed(names, client, lookups)
            if found["ptr-unconfirmed"]:
                mail.reasons["ptr-unconfirmed"] = names[0] + b" is not " + mail.ip
        return found

    def generic(self, name: bytes, client: "Address") -> bool:
        """Whether a name in lower case looks like that of a line; time goes with its length, whatever is in it."""
        if name.endswith(self._suffixes):
            return True
        own = b".".join(name.split(b".")[:-2])
        return not self._words.isdisjoint(_words(own)) or _has_address(name, client)


def configured(source: "Source") -> Rdns:
    """Read control/genericptr.

    Raises:
        ControlError: it is there, and cannot be read.
    """
    lines = source.control.lines("genericptr")
    return Rdns(WORDS if lines is None else [line.lower() for line in lines])


def _client(mail: "Mail") -> "Address | None":
    try:
        return address(mail.ip)
    except ValueError:
        return None


def _family(client: "Address") -> str:
    return "A" if client[0] == 32 else "AAAA"


async def _names(mail: "Mail", lookups: "Lookups") -> tuple[bytes, ...]:
    if mail.ptr is not None:
        return (mail.ptr[:NAME_MAX].lower().removesuffix(b"."),)
    return (await lookups.dns.ask(reverse(mail.ip), "PTR"))[:NAMES]


async def _unconfirmed(names: tuple[bytes, ...], client: "Address", lookups: "Lookups") -> bool | None:
    """Whether no name leads back to the client; None when one that was not answered might."""
    dns, kind, unknown = lookups.dns, _family(client), False
    await dns.prefetch([(name, kind) for name in names])
    for name in names:
        try:
            if client in [address(each) for each in await dns.ask(name, kind)]:
                return False
        except LookupFailedError as error:
            lookups.note(str(error).encode("ascii", "replace"))
            unknown = True
    return None if unknown else bool(names)


def _words(text: bytes) -> list[bytes]:
    """What stands between digits, dots, hyphens and other signs."""
    return bytes([byte if 0x61 <= byte <= 0x7A else 0x20 for byte in text]).split()


def _numbers(text: bytes) -> list[bytes]:
    """The runs of decimal digits."""
    return bytes([byte if 0x30 <= byte <= 0x39 else 0x20 for byte in text]).split()


def _has_address(name: bytes, client: "Address") -> bool:
    """Whether the address is in the name: its four numbers side by side, in either order, or all its digits in a row.

    An IPv6 address may also stand there as it is written, with hyphens for the colons.
    """
    bits, number = client
    plain = name.replace(b"-", b"").replace(b".", b"")
    digits = b"%0*x" % (bits // 4, number)
    if digits in plain:
        return True
    if bits == 128:
        return digits[::-1] in plain or written(bits, number).replace(b":", b"-") in name
    octets = [number >> shift & 255 for shift in (24, 16, 8, 0)]
    if b"".join([b"%03d" % octet for octet in octets]) in plain:
        return True
    found = [int(run) if len(run) <= 3 else -1 for run in _numbers(name)]
    return any(found[i:i + 4] in (octets, octets[::-1]) for i in range(len(found) - 3))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..netblock import Address
    from .base import Findings, Lookups, Mail, Question, Source
