"""What holdq-queue and the runner's door say to each other: frames in, one byte out.

A frame is a letter, the length of what follows in four bytes (the highest first), and that many bytes, at most FRAME_MAX:
H holdq1 (once, first) · M a piece of the message · E a piece of the envelope · Q the end.  The answer is one byte, the exit
code of holdq-queue.  A connection that ends before Q gave nothing.
"""

import struct

HELLO = b"holdq1"
FRAME_MAX = 65536
HEAD = struct.Struct(">cI")


class WireError(Exception):
    """The other side does not speak this language."""


def frame(letter: bytes, data: bytes = b"") -> bytes:
    """One frame; the data must fit."""
    return HEAD.pack(letter, len(data)) + data


def head(data: bytes) -> tuple[bytes, int]:
    """Letter and length from the first HEAD.size bytes of a frame.

    Raises:
        WireError: it is no frame.
    """
    letter: bytes
    length: int
    letter, length = HEAD.unpack(data)
    if letter not in (b"H", b"M", b"E", b"Q") or length > FRAME_MAX:
        raise WireError(f"no frame: {data[:8]!r}")
    return letter, length
