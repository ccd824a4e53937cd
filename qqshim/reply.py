"""What the SMTP client is told of a message that is not handed on."""


class Reply:
    """What the SMTP client is to be told.

    code    4xx or 5xx; a stock qmail-smtpd makes 451 or 554 of it
    status  the enhanced status code (RFC 3463)
    lines   of any length and content; only their printable ASCII reaches the wire
    """

    __slots__ = ("code", "lines", "status")

    def __init__(self, code: int, status: str, *lines: str) -> None:
        self.code = code
        self.status = status
        self.lines = lines

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    @property
    def text(self) -> str:
        """All of it on one line."""
        return " ".join(self.lines)
