"""DNS messages as bytes (RFC 1035): the queries that we send, and what we take from an answer.  No socket, no clock.

An answer is hostile: every length is checked against the end, pointers go backwards only, names, chains and counts have limits.
"""

from _socket import AF_INET6, inet_ntoa, inet_ntop

KINDS = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
CNAME = 5
IN = b"\0\1"

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)

NAME_MAX = 255
"""Bytes of a name on the wire, its final zero included."""
RECORDS_MAX = 1000
"""Answers that are read; no honest name has more."""
CHAIN_MAX = 16
"""CNAMEs from the name that was asked to the one that has the records."""
UDP_SIZE = 1232
"""What fits into one packet on every path: the size that the operators agreed on (DNS flag day 2020)."""

_OPT = b"\0\0\x29" + UDP_SIZE.to_bytes(2, "big") + bytes(6)
_HEADER = 12


class MessageError(Exception):
    """An answer that is no answer."""


def question(name: bytes, kind: str) -> bytes:
    """The question section for a name; dots part its labels, and nothing in it is an escape.

    Raises:
        ValueError: no such name can exist: a label that is empty or too long, or the whole too long.
    """
    wire = b""
    for label in name.split(b"."):
        if not 0 < len(label) < 64:
            raise ValueError("a label that is empty or too long")
        wire += bytes((len(label),)) + label
    if len(wire) >= NAME_MAX:
        raise ValueError("too long")
    return wire + b"\0" + KINDS[kind].to_bytes(2, "big") + IN


def query(identity: bytes, asked: bytes, edns: bool) -> bytes:
    """A query that wants recursion.

    identity  two bytes that nobody can guess
    asked     what question() made
    edns      say that we take UDP_SIZE bytes (RFC 6891)
    """
    counts = b"\0\1\0\0\0\0\0\1" if edns else b"\0\1\0\0\0\0\0\0"
    return identity + b"\1\0" + counts + asked + (_OPT if edns else b"")


def belongs(message: bytes, sent: bytes, asked: bytes) -> bool:
    """Whether a message is a response to the query that was sent: its identity, its kind, its question in any case of letters.

    A server that did not understand the query at all may leave out the question.
    """
    if len(message) < _HEADER or message[:2] != sent[:2] or message[2] & 0xF8 != 0x80:
        return False
    if message[4:6] == b"\0\0":
        return rcode(message) in (FORMERR, NOTIMP)
    return message[4:6] == b"\0\1" and message[_HEADER:_HEADER + len(asked)].lower() == asked.lower()


def rcode(message: bytes) -> int:
    """RFC 1035 section 4.1.1: 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED."""
    return message[3] & 15


def truncated(message: bytes) -> bool:
    """Whether there is more than a datagram holds: to be asked again over TCP."""
    return bool(message[2] & 2)


def lame(message: bytes) -> bool:
    """Whether the server says nothing because it asks nobody: no answer, neither its own zone nor recursion."""
    return message[6:8] == b"\0\0" and not message[2] & 4 and not message[3] & 0x80


def records(message: bytes, asked: bytes, kind: str) -> tuple[bytes, ...]:
    """The records of that kind that a response has for its question, through CNAMEs, as Dns.ask() returns them.

    Raises:
        MessageError: it is cut off or malformed, or goes beyond the limits above.
    """
    if rcode(message) == NXDOMAIN:
        return ()
    try:
        found, aliases = _answers(message, _HEADER + len(asked), kind)
        owner = _name(message, _HEADER)[0]
    except IndexError as error:
        raise MessageError("it ends too early") from error
    for _ in range(CHAIN_MAX):
        if owner in found:
            return _in_order(found[owner]) if kind == "MX" else tuple(found[owner])
        if owner not in aliases:
            return ()
        owner = aliases[owner]
    raise MessageError("a chain of names without end")


def _in_order(exchangers: list[bytes]) -> tuple[bytes, ...]:
    """Mail exchangers, each behind its preference of two bytes, the most preferred first."""
    return tuple([each[2:] for each in sorted(exchangers, key=lambda each: each[:2])])


def _answers(message: bytes, place: int, kind: str) -> tuple[dict[bytes, list[bytes]], dict[bytes, bytes]]:
    """Owner: values; owner: the name that it is an alias of."""
    found: dict[bytes, list[bytes]] = {}
    aliases: dict[bytes, bytes] = {}
    wanted = KINDS[kind]
    count = message[6] << 8 | message[7]
    if count > RECORDS_MAX:
        raise MessageError("too many records")
    for _ in range(count):
        owner, place = _name(message, place)
        code, start = message[place] << 8 | message[place + 1], place + 10
        end = start + (message[place + 8] << 8 | message[place + 9])
        if end > len(message):
            raise MessageError("it ends within a record")
        if message[place + 2:place + 4] == IN:
            if code == wanted:
                found.setdefault(owner, []).append(_value(message, start, end, kind))
            elif code == CNAME:
                aliases.setdefault(owner, _whole_name(message, start, end))
        place = end
    return found, aliases


def _value(message: bytes, start: int, end: int, kind: str) -> bytes:
    """What a record says; MX: two bytes of preference, then the name."""
    data = message[start:end]
    if kind == "A" and len(data) == 4:
        return inet_ntoa(data).encode()
    if kind == "AAAA" and len(data) == 16:
        return inet_ntop(AF_INET6, data).encode()
    if kind == "PTR":
        return _whole_name(message, start, end)
    if kind == "MX" and len(data) > 2:
        return data[:2] + _whole_name(message, start + 2, end)
    if kind == "TXT" and data:
        return _strings(data)
    raise MessageError("a record of the wrong length")


def _strings(data: bytes) -> bytes:
    """The strings of a TXT record, joined."""
    parts, place = [], 0
    while place < len(data):
        start, place = place + 1, place + 1 + data[place]
        parts.append(data[start:place])
    if place > len(data):
        raise MessageError("a string that is longer than its record")
    return b"".join(parts)


def _whole_name(message: bytes, start: int, end: int) -> bytes:
    """A name that fills its place."""
    name, after = _name(message, start)
    if after != end:
        raise MessageError("a name of the wrong length")
    return name


def _name(message: bytes, place: int) -> tuple[bytes, int]:
    """A name in lower case without a final dot, and where it ends; b"" is the root.

    A dot or backslash within a label has a backslash before it, so that no label can look like two.

    Raises:
        MessageError: it is malformed.
        IndexError: the message ends in it.
    """
    labels: list[bytes] = []
    size, after, floor = 1, -1, place
    while length := message[place]:
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | message[place + 1]
            if target >= floor:
                raise MessageError("a pointer that does not go back")
            if after < 0:
                after = place + 2
            place = floor = target
            continue
        place += 1
        label = message[place:place + length]
        size += 1 + length
        if length >= 64 or len(label) < length or size > NAME_MAX:
            raise MessageError("a name that is too long")
        labels.append(label.replace(b"\\", b"\\\\").replace(b".", b"\\.") if b"." in label or b"\\" in label else label)
        place += length
    return b".".join(labels).lower(), place + 1 if after < 0 else after
