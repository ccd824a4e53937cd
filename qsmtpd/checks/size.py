"""Refuse a message that is larger than control/databytes, which counts bytes as stored, where a line ends by LF alone.

At MAIL the client announces what it will send, where each line ends by CR LF (RFC 1870): only what is more than twice as large
cannot fit.  EHLO tells it a twentieth more than databytes, so that it does not keep back what we would take.
"""

from ..replies import TOO_BIG, Reply


class Size:
    name = "databytes"

    def __init__(self, databytes: int) -> None:
        """databytes  as stored, 0 for no limit."""
        self.databytes = databytes

    def announced(self, size: int) -> Reply | None:
        """What to say of a size in bytes as sent."""
        return TOO_BIG if self.databytes and size > 2 * self.databytes else None

    def stored(self, size: int) -> Reply | None:
        """What to say of a size in bytes as stored."""
        return TOO_BIG if self.databytes and size > self.databytes else None

    @property
    def advertised(self) -> int:
        """For the answer to EHLO; 0 for no limit."""
        return self.databytes + self.databytes // 20
