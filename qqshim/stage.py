"""The message stage of the site's rules: from what is known of a message to who gets it.  Imported by who has rules only."""

from . import readdress
from .hearsay import Hearsay
from .knowledge import Knowledge
from .ruling import Ruled, Ruling


class Stage:
    """Of one message; what the rules have to say to the log is given to `log`, an event and its pairs at a time."""

    __slots__ = ("_log", "_mail", "_origin", "_site")

    def __init__(self, site: "Site", origin: "Origin", mail: "Mail", log: "Log") -> None:
        self._site = site
        self._origin = origin
        self._mail = mail
        self._log = log

    def decide(self, findings: "Sequence[Finding]", quarantine: bytes | None) -> Ruled:
        """Read the rules.

        quarantine  the address that gets what is put aside; None: there is none
        """
        said = Hearsay(self._origin.told, self._site.vocabulary)
        if said.complaint is not None:
            self._log("fault", (("why", said.complaint),))
        known = Knowledge(self._mail, self._origin, self._site, findings)
        ruling = Ruling(self._site, self._origin, self._mail, said, known)
        ruled = ruling.decide(quarantine, lambda: readdress.recipients(self._mail))
        for line, text in ruled.logs:
            self._log("log", (("rule", line), ("text", text)))
        return ruled

    def put_aside(self, ruled: Ruled, directory: bytes) -> int:
        """Let only those get the message who may, with a line in the log for each of the others; returns how many are left.

        Raises:
            ShimError: no room for another envelope.
        """
        verbs = [each.verb for each in ruled.judgements]
        if all(verb == "accept" for verb in verbs):
            return self._mail.recipients
        for number, address in enumerate(readdress.recipients(self._mail)):
            each = ruled.judgements[number if len(verbs) > 1 else 0]
            if each.verb != "accept":
                rule = None if each.rule is None else each.rule.line
                self._log("aside", (("to", address), ("verdict", each.verb.encode()), ("rule", rule)))
        return readdress.readdress(self._mail, verbs, ruled.quarantine, directory)


def said(ruled: Ruled) -> "Facts":
    """What the line of the message says of it."""
    return ("rule", ruled.rule), ("shadow", ",".join(map(str, ruled.shadows)).encode() or None)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .main import Facts
    from .origin import Origin
    from .receive import Mail
    from .scanners.base import Finding
    from .site import Site

    Log = Callable[[str, Facts], None]
