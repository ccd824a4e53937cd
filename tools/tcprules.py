"""The rules that tcprules(1) of ucspi-tcp 0.88 compiles for tcpserver(1): parsed, and looked up in tcpserver's order.

    address:allow,VARIABLE="value",VARIABLE=/value/        address:deny        # a comment, in the first column

tcprules takes much that never matches a connection (10.0.0.0/24, a blank before the address, 10.0.0 without its dot, a name in
upper case): here that is an error.  Everything that is no error here is taken by tcprules, and means there what it means here.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_NAME = rb"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_IP = re.compile(rb"(?:%b\.){3}%b" % (OCTET, OCTET))
_NETWORK = re.compile(rb"(?:%b\.){1,3}" % OCTET)
_HOST = re.compile(rb"=(?:\.?%b)?" % _NAME)
_ONE_HOST = re.compile(rb"=%b" % _NAME)
_INFO = re.compile(rb"[!-9;-~]+")
_RANGE = re.compile(rb"(%b)-(%b)" % (OCTET, OCTET))
_VARIABLE = re.compile(rb",([A-Za-z_][A-Za-z0-9_]*)=([!-/:-@\[-`{-~])")
_UNUSABLE = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")


class RuleError(ValueError):
    """A line is no rule, or one that never matches; str() says what was expected."""


class Rule(NamedTuple):
    """One line.

    addresses  what the address stands for: several for a range, as tcprules writes them
    variables  in the order of the line
    text       the line itself, without blanks at its end
    """

    addresses: tuple[bytes, ...]
    allow: bool
    variables: tuple[tuple[bytes, bytes], ...]
    text: bytes


def parse(line: bytes) -> Rule | None:
    """The rule in a line without its LF; None for a comment or an empty line.

    Raises:
        RuleError: what was expected.
    """
    text = line.rstrip(b" \t")
    if not text or text.startswith(b"#"):
        return None
    if _UNUSABLE.search(text):
        raise RuleError("expected no control characters; does the file have DOS line ends?")
    address, colon, instructions = text.partition(b":")
    if not colon:
        raise RuleError("expected address:allow or address:deny")
    allow = instructions.startswith(b"allow")
    if not (allow or instructions.startswith(b"deny")):
        raise RuleError("expected allow or deny right after the first colon; IPv6 addresses have no place here")
    return Rule(_addresses(address), allow, _variables(instructions[5 if allow else 4:]), text)


def wider(address: bytes) -> Iterator[bytes]:
    """The addresses that would be looked for if there were no rule for this one, first to last."""
    _, at, peer = address.rpartition(b"@")
    if at:
        yield peer
    yield from _wider_names(peer) if peer.startswith(b"=") else _wider_networks(peer)
    if address:
        yield b""


def _wider_names(peer: bytes) -> Iterator[bytes]:
    yield from (b"=" + peer[at:] for at in range(2, len(peer)) if peer[at:at + 1] == b".")
    if peer != b"=":
        yield b"="


def _wider_networks(peer: bytes) -> Iterator[bytes]:
    yield from (peer[:end + 1] for end in range(len(peer) - 2, -1, -1) if peer[end:end + 1] == b".")


def _addresses(address: bytes) -> tuple[bytes, ...]:
    info, at, peer = address.rpartition(b"@")
    if at:
        if _INFO.fullmatch(info) and (_IP.fullmatch(peer) or _ONE_HOST.fullmatch(peer)):
            return (address,)
        raise RuleError("expected user@1.2.3.4 or user@=host.name before the colon")
    if not address or _HOST.fullmatch(address) or _is_network(address):
        return (address,)
    if address.startswith(b"="):
        raise RuleError("expected =host.name, =.domain or = alone, in lower case")
    ranged = _ranged(address)
    if ranged:
        return ranged
    raise RuleError(_advice(address))


def _ranged(address: bytes) -> tuple[bytes, ...]:
    """What tcprules makes of 1.2.3.37-53 or 10.2-3.; () when it is no range, or an empty one."""
    labels = address.split(b".")
    bounds = [(index, found) for index, label in enumerate(labels) if (found := _RANGE.fullmatch(label))]
    if len(bounds) != 1:
        return ()
    index, found = bounds[0]
    numbers = range(int(found[1]), int(found[2]) + 1)
    addresses = tuple(b".".join([*labels[:index], b"%d" % number, *labels[index + 1:]]) for number in numbers)
    return addresses if all(_is_network(each) for each in addresses) else ()


def _is_network(address: bytes) -> bool:
    """An address, or the beginning of one with its dot."""
    return (_IP.fullmatch(address) or _NETWORK.fullmatch(address)) is not None


def _advice(address: bytes) -> str:
    if address[:1] in b" \t":
        return "expected the address in the first column: with a blank before it the rule never matches"
    if b"/" in address:
        return "expected 1.2.3. for 1.2.3.0/24: tcprules knows no /, the rule never matches"
    if re.fullmatch(rb"[0-9]+(\.[0-9]+){0,2}", address):
        return "expected a dot at the end of a network, 10. or 1.2.3.: without it the rule never matches"
    return "expected 1.2.3.4, 1.2.3., 1.2.3.4-9, =host.name, =.domain, user@1.2.3.4 or nothing before the colon"


def _variables(text: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The variables after allow or deny."""
    variables: dict[bytes, bytes] = {}
    position = 0
    while position < len(text):
        found = _VARIABLE.match(text, position)
        if not found:
            rest = text[position:position + 20].decode("ascii", "backslashreplace")
            raise RuleError(f'expected ,VARIABLE="value" or the end of the line, found "{rest}"')
        end = text.find(found[2], found.end())
        if end < 0:
            raise RuleError(f"expected the quote {found[2].decode()} again after the value of {found[1].decode()}")
        if found[1] in variables:
            raise RuleError(f"expected {found[1].decode()} only once")
        variables[found[1]] = text[found.end():end]
        position = end + 1
    return tuple(variables.items())
