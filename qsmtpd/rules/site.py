"""control/tags: the site's own words, one a line, NAME KIND WHERE.

    KIND               WHERE
    dnsbl dnswl rhsbl  a zone, and the codes that count: 127.0.0.2, or 127.0.0.2,127.0.0.4-127.0.0.7
    env                VARIABLE, or VARIABLE=VALUE
    ip ptr helo sender rcpt   the name of a file in the control directory, a list or a .cdb

"#" starts a comment at the start of a line or after a blank.
"""

from .parse import LINE_MAX, RuleError
from .rule import VERBS
from .vocabulary import AT_HAND, CONNECT, DNS, FILE, HELO, MAIL, RCPT, STAGES, TERMS, Term

KINDS = {
    "dnsbl": (CONNECT, DNS, "dnsbl"),
    "dnswl": (CONNECT, DNS, "dnsbl"),
    "rhsbl": (MAIL, DNS, "rhsbl"),
    "env": (CONNECT, AT_HAND, "variables"),
    "ip": (CONNECT, FILE, "addresslist"),
    "ptr": (CONNECT, DNS, "namelist"),
    "helo": (HELO, FILE, "namelist"),
    "sender": (MAIL, FILE, "namelist"),
    "rcpt": (RCPT, FILE, "namelist"),
}
"""Stage, cost and check of each kind.  The client's name may have to be asked for, so ptr costs what the DNS costs."""

ZONES = ("dnsbl", "dnswl", "rhsbl")
"""The kinds that ask the DNS for a name in a zone."""

NAME_MAX = 64
ZONE_MAX = 189
"""Bytes of a zone: an IPv6 address before it takes 64, and a name has at most 253."""

DEFAULT_CODES = "127.0.0.2"
NEVER = ((0x7F000001, 0x7F000001), (0x7FFFFF00, 0x7FFFFFFF))
"""127.0.0.1 is what a resolver that lies says, 127.255.255.x how a list says that it does not answer us."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LABEL = frozenset(_LETTERS + "0123456789-_")
_NAME = _LABEL | {"."}


class SiteTag:
    """One word of the site's own.

    name, kind, where  as written
    line       of control/tags; 0 when it is from elsewhere
    zone       of dnsbl, dnswl, rhsbl: in lower case, without a dot at the end; else b""
    codes      the addresses that count there: pairs of the first and the last, as numbers; what never counts is left out
    variable   of env
    value      what the variable has to be; None: it is enough that it is set

    Raises:
        ValueError: WHERE is not what the kind wants; the message is printable ASCII.
    """

    __slots__ = ("codes", "kind", "line", "name", "value", "variable", "where", "zone")

    def __init__(self, name: str, kind: str, where: str, line: int = 0) -> None:
        self.name = name
        self.kind = kind
        self.where = where
        self.line = line
        self.zone = b""
        self.codes: tuple[tuple[int, int], ...] = ()
        self.variable = ""
        self.value: bytes | None = None
        if kind in ZONES:
            zone, _, codes = where.replace("\t", " ").partition(" ")
            self.zone = _zone(zone)
            self.codes = _codes(codes.strip() or DEFAULT_CODES)
        elif kind == "env":
            self.variable, self.value = _variable(where)
        elif not where or "/" in where or where[0] == "." or " " in where or "\t" in where:
            raise ValueError("expected the name of a file in the control directory")

    def lists(self, answer: bytes) -> bool:
        """Whether an address that the zone gave, as text, is one that counts."""
        address = _address(answer.decode("ascii", "replace"))
        return address is not None and any(first <= address <= last for first, last in self.codes)


def parse_tags(text: bytes) -> dict[str, SiteTag]:
    """The tags of control/tags by name, in the order of the file.

    Raises:
        RuleError: the first line that is wrong.
    """
    tags, faults = _read(text)
    if faults:
        raise faults[0]
    return tags


def tag_faults(text: bytes) -> list[RuleError]:
    """What is wrong with control/tags, line by line."""
    return _read(text)[1]


def vocabulary(tags: "Mapping[str, SiteTag]") -> dict[str, Term]:
    """Every word that a rule may use: those of the language, and the site's."""
    words = dict(TERMS)
    for name, tag in tags.items():
        stage, cost, check = KINDS[tag.kind]
        words[name] = Term(tag.kind, stage, cost, check)
    return words


def is_word(name: str) -> bool:
    """Whether the language has this word already."""
    return name in TERMS or name in VERBS or name in STAGES or name in ("any", "unknown")


def _read(text: bytes) -> tuple[dict[str, SiteTag], list[RuleError]]:
    tags: dict[str, SiteTag] = {}
    faults = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        line = raw.decode("latin-1").replace("\t", " ")
        rule = "" if line.startswith("#") else line.partition(" #")[0].rstrip(" ")
        if not rule.strip(" "):
            continue
        try:
            tag = _tag(rule, number, tags)
            tags[tag.name] = tag
        except _Misread as error:
            faults.append(RuleError(number, error.column, error.message))
    return tags, faults


class _Misread(Exception):  # noqa: N818 - it never leaves this module
    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


def _tag(line: str, number: int, others: dict[str, SiteTag]) -> SiteTag:
    for column, character in enumerate(line, 1):
        if not " " <= character <= "~":
            raise _Misread(column, f"expected printable ASCII, found the byte 0x{ord(character):02x}")
    if len(line) > LINE_MAX:
        raise _Misread(LINE_MAX + 1, f"expected a line of at most {LINE_MAX} characters")
    name, kind, where = ([*line.split(None, 2), "", ""])[:3]
    column = line.index(name) + 1
    _check_name(name, column, others)
    column = line.index(kind, column + len(name) - 1) + 1
    if kind not in KINDS:
        found = f'found "{kind}"' if kind else "found the end of the line"
        raise _Misread(column, f"expected one of {', '.join(KINDS)}, {found}")
    column = line.index(where, column + len(kind) - 1) + 1
    try:
        return SiteTag(name, kind, where, number)
    except ValueError as error:
        found = f'found "{where}"' if where else "found the end of the line"
        raise _Misread(column, f"{error}, {found}") from None


def _check_name(name: str, column: int, others: dict[str, SiteTag]) -> None:
    if name[0] not in _LETTERS or not _NAME.issuperset(name) or len(name) > NAME_MAX:
        raise _Misread(column, f'expected a name of letters, digits, ".", "-", "_", a letter first, found "{name[:NAME_MAX]}"')
    if is_word(name):
        raise _Misread(column, f'"{name}" is a word of the language: take another name')
    if name in others:
        raise _Misread(column, f'"{name}" is defined in line {others[name].line} already')


def _zone(text: str) -> bytes:
    zone = text.removesuffix(".").lower()
    labels = zone.split(".")
    if len(zone) > ZONE_MAX or not all(1 <= len(label) <= 63 and _LABEL.issuperset(label) for label in labels):
        raise ValueError("expected a zone, as in dnsbl.example.org")
    return zone.encode("ascii")


def _codes(text: str) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        low, dash, high = part.strip(" \t").partition("-")
        first = _address(low)
        last = _address(high) if dash else first
        if first is None or last is None or first > last or _never(first) or _never(last):
            raise ValueError("expected codes within 127.0.0.0/8, as in 127.0.0.2,127.0.0.4-127.0.0.7, but neither 127.0.0.1 "
                             "nor 127.255.255.x")
        found += _cut(first, last)
    return tuple(found)


def _address(text: str) -> int | None:
    """A dotted address of 127.0.0.0/8 as a number."""
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != "127":
        return None
    number = 0
    for part in parts:
        if not (part.isascii() and part.isdigit()) or len(part) > 3 or int(part) > 255:
            return None
        number = number << 8 | int(part)
    return number


def _never(address: int) -> bool:
    return any(first <= address <= last for first, last in NEVER)


def _cut(first: int, last: int) -> list[tuple[int, int]]:
    """A range without 127.0.0.1; 127.255.255.x is behind every range."""
    hole = NEVER[0][0]
    return [(first, hole - 1), (hole + 1, last)] if first < hole < last else [(first, last)]


def _variable(where: str) -> tuple[str, bytes | None]:
    variable, equals, value = where.partition("=")
    if not variable or variable[0].isdigit() or not frozenset(_LETTERS + "0123456789_").issuperset(variable):
        raise ValueError("expected VARIABLE or VARIABLE=VALUE")
    return variable, value.encode("ascii") if equals else None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
