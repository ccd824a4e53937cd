"""Digests: of an address or a Message-ID for the certificate, of a text for the log, and the certificate's HMAC.

The interpreter's own SHA-256 (_sha256, until 3.11) is there at no cost; hashlib would load OpenSSL, 2.5 ms and 4 MiB a message.
"""

try:
    from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    from hashlib import sha256

TEXT_READ = 64 * 1024
"""Bytes of a body that its digest is made of."""
TEXT_LEAST = 32
"""A text with fewer letters says nothing: all empty messages would be one campaign."""

_BLOCK = 64
_BYTES = bytes.maketrans(b"", b"")
"""All that there are, in their order: bytes(range(256)), and a tenth of its cost."""
_LOWER = _BYTES.lower()
_NO_LETTERS = _BYTES[:0x80].translate(None, _BYTES[0x41:0x5B] + _BYTES[0x61:0x7B])


def _flipped(bits: bytes) -> bytes:
    """What each byte becomes when these bits of it are turned around."""
    return (int.from_bytes(_BYTES, "big") ^ int.from_bytes(bits * 256, "big")).to_bytes(256, "big")


_INNER, _OUTER = _flipped(b"\x36"), _flipped(b"\x5c")


def of_name(name: bytes) -> bytes:
    """32 hexadecimal digits for an address or a Message-ID, byte for byte."""
    return hexadecimal(name)[:32]


def of_text(body: bytes) -> bytes | None:
    """16 hexadecimal digits, the same for the copies of a campaign; None for a body with too few letters.

    The text is normalised: letters of ASCII in lower case and bytes above 127 stay; digits, blanks, punctuation and lines that
    begin with "--" (the boundaries of parts) do not.

    body  the beginning of the body, TEXT_READ bytes; what follows is left out
    """
    lines = [line for line in body[:TEXT_READ].split(b"\n") if not line.startswith(b"--")]
    letters = b"".join(lines).translate(_LOWER, _NO_LETTERS)
    return hexadecimal(letters)[:16] if len(letters) >= TEXT_LEAST else None


def hmac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104), 64 hexadecimal digits."""
    block = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return hexadecimal(block.translate(_OUTER) + sha256(block.translate(_INNER) + text).digest())


def hexadecimal(data: bytes) -> bytes:
    """SHA-256, 64 hexadecimal digits."""
    digits: str = sha256(data).hexdigest()
    return digits.encode("ascii")
