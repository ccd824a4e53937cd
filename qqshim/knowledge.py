"""What is known of a message: what the scanners found, what the message itself shows, and what the environment tells.

Nothing is looked up: what nobody has said is unknown.
"""

import os

from qsmtpd.qmail import env

from .scanners import SPAM, VIRUS

HEADER_MAX = 65536
"""Bytes of a header that are looked at: as many as the session keeps."""


def _header(mail: "Mail") -> bytes:
    return mail.message.read(0, min(mail.body, HEADER_MAX))


def _hops(mail: "Mail", origin: "Origin") -> int:
    """As qmail-smtpd counts them; the field that the server program has put on top is none."""
    header = b"\n" + _header(mail).lower()
    return max(header.count(b"\nreceived") + header.count(b"\ndelivered") - origin.server, 0)


AT_HAND: "dict[str, Callable[[Mail, Origin], bool | float | None]]" = {
    "relay": lambda mail, origin: origin.relay,
    "null-sender": lambda mail, origin: mail.sender == b"",
    "size": lambda mail, origin: mail.message.size,
    "hops": _hops,
}
"""What costs nothing to know, though it was not said."""


class Knowledge:
    """The words of the rules, for one message; each is found out when it is first asked for.

    reasons  word: why it holds, for {reason}
    """

    __slots__ = ("_header", "_mail", "_origin", "_site", "_values", "_variable_of", "reasons")

    def __init__(
            self, mail: "Mail", origin: "Origin", site: "Site", findings: "Sequence[Finding]",
            variable: "Callable[[str], bytes | None]" = env.get,
    ) -> None:
        """variable  gives the value of a variable of the caller's"""
        self._mail = mail
        self._origin = origin
        self._site = site
        self._variable_of = variable
        self._header: HeaderWords | None = None
        self._values: dict[str, bool | float | None] = {}
        self.reasons: dict[str, bytes] = {}
        self._virus([finding for finding in findings if finding.scanner in VIRUS])
        self._spam([finding for finding in findings if finding.scanner in SPAM])

    def found(self) -> "dict[str, bool | float | None]":
        """What is known without asking."""
        return dict(self._values)

    def of(self, name: str, recipient: bytes) -> bool | float | None:
        """A word; only "not-addressed" is about the recipient."""
        if name == "not-addressed":
            self.reasons[name] = recipient
            return self._headers().not_addressed(recipient)
        if name not in self._values:
            self._values[name] = self._found(name)
        return self._values[name]

    def _virus(self, findings: "list[Finding]") -> None:
        """Who was not asked has not failed: the word is unknown, but not for want of an answer."""
        names = [finding.virus for finding in findings if finding.virus is not None]
        failed = any(finding.failed is not None for finding in findings)
        self._values["virus"] = True if names else None if failed or not findings else False
        self._values["virus-unknown"] = failed and not names
        if names:
            self.reasons["virus"] = names[0]

    def _spam(self, findings: "list[Finding]") -> None:
        failed = any(finding.failed is not None for finding in findings)
        score = next((finding.score for finding in findings if finding.score is not None), None)
        spam = any(finding.spam for finding in findings)
        self._values["spam"] = True if spam else None if failed or not findings else False
        self._values["spam-unknown"] = failed and not spam
        self._values["score"] = score
        if score is not None:
            self.reasons["spam"] = self.reasons["score"] = b"score %.1f" % score

    def _found(self, name: str) -> bool | float | None:
        at_hand = AT_HAND.get(name)
        if at_hand is not None:
            return at_hand(self._mail, self._origin)
        if name.startswith("draw:"):
            return int.from_bytes(os.urandom(4), "big") * 100 / (1 << 32)
        if self._site.vocabulary[name].check == "header":
            return self._headers().values[name]
        tag = self._site.tags.get(name)
        return self._variable(tag) if tag is not None and tag.kind == "env" and self._origin.server else None

    def _headers(self) -> "HeaderWords":
        if self._header is None:
            from qsmtpd.rules.headerwords import HeaderWords  # noqa: PLC0415 - few rules ask for them

            self._header = HeaderWords(_header(self._mail), cut=self._mail.body >= HEADER_MAX)
            self.reasons.update(self._header.reasons)
        return self._header

    def _variable(self, tag: "SiteTag") -> bool:
        value = self._variable_of(tag.variable)
        if value is None or tag.value not in (None, value):
            return False
        self.reasons[tag.name] = b"%b=%b" % (tag.variable.encode(), value)
        return True


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsmtpd.rules.headerwords import HeaderWords
    from qsmtpd.rules.site import SiteTag

    from .origin import Origin
    from .receive import Mail
    from .scanners.base import Finding
    from .site import Site
