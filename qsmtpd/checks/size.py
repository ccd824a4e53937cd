"""Refuse a message that is larger than control/databytes, which counts bytes as stored, where a line ends by LF alone.

At MAIL the client announces what it will send, where each line ends by CR LF (RFC 1870): only what is more than twice as large
cannot fit.  EHLO tells it a twentieth more than databytes, so that it does not keep back what we would take.
"""

from ..replies import TOO_BIG, Reply

NAME = "databytes"
"""What refuses, in the log."""


def announced(size: int, databytes: int) -> Reply | None:
    """What to say of a size in bytes as sent."""
    return TOO_BIG if databytes and size > 2 * databytes else None


def stored(size: int, databytes: int) -> Reply | None:
    """What to say of a size in bytes as stored."""
    return TOO_BIG if databytes and size > databytes else None


def advertised(databytes: int) -> int:
    """For the answer to EHLO; 0 for no limit."""
    return databytes + databytes // 20
