"""What the client is told when a rule has decided: its own code and text, or what its verb says by default."""

from .rule import SOFTENED
from .text import fill
from .vocabulary import CONNECT


class Wording:
    """A reply in the words of the rules.

    code    of SMTP
    status  the enhanced status code (RFC 3463)
    lines   the text, a line each, in printable ASCII
    closes  the connection is closed after it
    """

    __slots__ = ("closes", "code", "lines", "status")

    def __init__(self, code: int, status: str, *lines: "str | bytes", closes: bool = False) -> None:
        self.code = code
        self.status = status
        self.lines = lines
        self.closes = closes


BY_DEFAULT = {
    "refuse": Wording(550, "5.7.1", "sorry, not by the rules of this site"),
    "defer": Wording(451, "4.7.1", "sorry, not now by the rules of this site, try again later"),
    "close": Wording(421, "4.7.0", "sorry, not by the rules of this site, goodbye"),
    "throttle": Wording(452, "4.5.3", "sorry, no more recipients in this session, try again later"),
    "greylist": Wording(451, "4.7.1", "sorry, we have not met before, try again in some minutes"),
}
AT_CONNECT = {
    "refuse": Wording(554, "5.7.1", "sorry, not by the rules of this site", closes=True),
    "defer": Wording(421, "4.7.1", "sorry, not now by the rules of this site, try again later", closes=True),
}
"""RFC 5321 section 3.1: 554 instead of a greeting; 421 with the end of the connection."""
UNSURE = Wording(451, "4.7.1", "sorry, a look-up has failed, try again later")
NO_QUARANTINE = Wording(451, "4.3.0", "sorry, no place for this message, try again later")
"""A rule says to quarantine, and control/quarantineto says no address."""


def wording(rule: "Rule", verb: str, stage: int, values: "Mapping[str, bytes]") -> Wording:
    """What is said.

    verb    what the reading came to: "defer" for a rule that refuses means that it could not be sure
    values  for the text of the rule
    """
    action = rule.action
    if verb == "defer" and action.verb in SOFTENED:
        return AT_CONNECT["defer"] if stage == CONNECT else UNSURE
    default = BY_DEFAULT[action.verb]
    if stage == CONNECT:
        default = AT_CONNECT.get(action.verb, default)
    if not action.code and action.text is None:
        return default
    code = action.code or default.code
    status = action.status or (default.status if code // 100 == default.code // 100 else f"{code // 100}.7.1")
    lines = default.lines if action.text is None else fill(action.text, values)
    return Wording(code, status, *lines, closes=action.verb == "close" or stage == CONNECT)


def reasons(rule: "Rule", known: "Known", why: "Mapping[str, bytes]") -> bytes:
    """{reason}: why the words of a rule hold, those of them that hold.

    why  word: a short phrase
    """
    return b", ".join([why[name] for name in rule.names if known.get(name) and name in why])


def lists(rule: "Rule", known: "Known") -> bytes:
    """{lists}: the DNS lists of a rule that have the client."""
    return b" ".join([name.encode() for name in rule.lists if known.get(name)])


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .expression import Known
    from .rule import Rule
