"""Who writes to whom, in words that are the same for each attempt to deliver the same mail.

Mailing lists put a number into each sender address (VERP), BATV a date, forwarders a hash (SRS); a provider sends the second
attempt from another machine.  None of these may make a new correspondent each time, or greylisting never lets them in.
"""

from .netblock import neighbourhood, written

try:  # the interpreter's own, without OpenSSL
    from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from hashlib import sha256

DIGEST = 16
"""Bytes of a key: nobody finds two triplets with the same one."""


def network(ip: bytes) -> bytes:
    """The netblock that has one owner, as text: 192.0.2.0/24, 2001:db8::/64.

    Raises:
        ValueError: ip is no address.
    """
    bits, length, number = neighbourhood(ip)
    return b"%b/%d" % (written(bits, number), length)


def key(origin: bytes, sender: bytes, recipient: bytes) -> bytes:
    """The same bytes for the same three, and for nobody else; addresses are not to be read from them."""
    found: bytes = sha256(b"\0".join((origin, same_sender(sender), recipient.lower()))).digest()
    return found[:DIGEST]


def same_sender(address: bytes) -> bytes:
    """A sender address without what changes from message to message; b"" stays b""."""
    local, at, host = address.lower().rpartition(b"@")
    if not at:
        return address.lower()
    local = _without_hash(_without_date(local))
    local = local.partition(b"+")[0] or local
    return _numbers(local) + at + host


def _without_date(local: bytes) -> bytes:
    """BATV: prvs=TAG=user, prvs=user/TAG, btv1==TAG==user."""
    if local.startswith(b"prvs="):
        first, equals, user = local[5:].partition(b"=")
        return user if equals else first.partition(b"/")[0]
    if local.startswith(b"btv1=="):
        return local[6:].partition(b"==")[2] or local
    return local


def _without_hash(local: bytes) -> bytes:
    """SRS0=HASH=DATE=host=user, and SRS1=HASH=forwarder==HASH=DATE=host=user."""
    if local[:4] not in (b"srs0", b"srs1") or local[4:5] not in (b"=", b"+", b"-"):
        return local
    inner = local[5:] if local.startswith(b"srs0") else local.partition(b"==")[2]
    parts = inner.split(b"=", 3)
    return b"srs=" + b"=".join(parts[2:]) if len(parts) == 4 else local


def _numbers(local: bytes) -> bytes:
    """Each word of letters and digits in which there is a digit is "#"."""
    plain = bytearray()
    word = bytearray()
    for byte in local + b"\0":
        if chr(byte).isalnum() and byte < 128:
            word.append(byte)
            continue
        plain += b"#" if any(0x30 <= each <= 0x39 for each in word) else word
        plain.append(byte)
        word.clear()
    return bytes(plain[:-1])
