"""The header of the message in hand, as far as it was kept: the words of rules/headerwords.py."""

from ..headersection import HEADER_MAX
from ..rules.headerwords import HeaderWords
from .base import LookupFailedError, Mail


def configured(source: "Source") -> "Header":
    """The check; it has no control file."""
    return Header()


class Header:
    """The check of this module; it reads a header once, however many recipients it is asked for."""

    def __init__(self) -> None:
        self._header: bytes | None = None
        self._words = HeaderWords(b"", cut=False)

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        if mail.header is None:
            raise LookupFailedError("there is no message yet")
        if mail.header is not self._header:
            self._header = mail.header
            self._words = HeaderWords(mail.header, cut=len(mail.header) >= HEADER_MAX)
        mail.reasons.update(self._words.reasons)
        findings = dict(self._words.values)
        if "not-addressed" in wanted:
            findings["not-addressed"] = self._words.not_addressed(mail.recipient)
            mail.reasons["not-addressed"] = mail.recipient
        return findings


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
