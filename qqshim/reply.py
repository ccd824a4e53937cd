"""What the SMTP client is told of a message that is not handed on."""


class Reply:
    """What the SMTP client is to be told.

    code    554 or 451, the only ones that a stock qmail-smtpd can say
    status  the enhanced status code (RFC 3463)
    text    of any length and content; only its printable ASCII reaches the wire
    """

    __slots__ = ("code", "status", "text")

    def __init__(self, code: int, status: str, text: str) -> None:
        self.code = code
        self.status = status
        self.text = text

    @property
    def permanent(self) -> bool:
        return self.code >= 500
