"""The message stage of the site's rules: from what is known of a message to who gets it.  Imported by who has rules only."""

from . import readdress
from .hearsay import Hearsay
from .knowledge import Knowledge
from .ruling import Ruled, Ruling

MANY = 100
"""Recipients from which on it takes its time."""
LONG_HEADER = 8192
"""Bytes of a header from which on it does."""


class Stage:
    """Of one message.

    lines  what the rules have to say to the log: events and their pairs
    """

    __slots__ = ("_mail", "_origin", "_site", "_variable", "lines")

    def __init__(self, site: "Site", origin: "Origin", mail: "Mail", variable: "Callable[[str], bytes | None]") -> None:
        """variable  gives the value of a variable of the caller's"""
        self.lines: list[tuple[str, Facts]] = []
        self._site = site
        self._origin = origin
        self._mail = mail
        self._variable = variable

    def carry_out(
            self, findings: "Sequence[Finding]", quarantine: bytes | None, directory: bytes) -> tuple[Ruled, int]:
        """Read the rules, and let only those get the message who may; returns also how many these are.

        quarantine  the address that gets what is put aside; None: there is none
        directory   where a large envelope is

        Raises:
            ShimError: no room for another envelope.
        """
        ruled = self._decide(findings, quarantine)
        left = 0 if ruled.reply is not None else self._put_aside(ruled, directory)
        ruled.judgements.clear()  # one for each of many recipients: to let them go takes its time, too
        return ruled, left

    def _decide(self, findings: "Sequence[Finding]", quarantine: bytes | None) -> Ruled:
        said = Hearsay(self._origin.told, self._site.vocabulary)
        if said.complaint is not None:
            self.lines.append(("fault", (("why", said.complaint),)))
        known = Knowledge(self._mail, self._origin, self._site, findings, self._variable)
        ruling = Ruling(self._site, self._origin, self._mail, said, known, variable=self._variable)
        ruled = ruling.decide(quarantine, lambda: readdress.recipients(self._mail))
        self.lines += [("log", (("rule", line), ("text", text))) for line, text in ruled.logs]
        return ruled

    def _put_aside(self, ruled: Ruled, directory: bytes) -> int:
        """With a line in the log for each of those who do not get it."""
        verbs = [each.verb for each in ruled.judgements]
        if all(verb == "accept" for verb in verbs):
            return self._mail.recipients
        for number, address in enumerate(readdress.recipients(self._mail)):
            each = ruled.judgements[number if len(verbs) > 1 else 0]
            if each.verb != "accept":
                rule = None if each.rule is None else each.rule.line
                self.lines.append(("aside", (("to", address), ("verdict", each.verb.encode()), ("rule", rule))))
        return readdress.readdress(self._mail, verbs, ruled.quarantine, directory)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .origin import Origin
    from .passage import Facts
    from .receive import Mail
    from .scanners.base import Finding
    from .site import Site
