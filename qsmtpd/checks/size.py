"""Refuse a message that is larger than control/databytes: at MAIL by the size that the client announces (RFC 1870)."""

from ..replies import TOO_BIG, Reply


class Size:
    name = "databytes"

    def __init__(self, databytes: int) -> None:
        """databytes  as stored, 0 for no limit."""
        self.databytes = databytes

    def opinion(self, size: int) -> Reply | None:
        """What to say of a size in bytes."""
        return TOO_BIG if self.databytes and size > self.databytes else None
