"""The reply of a rule that has decided: its own code and text, or what its verb says by default."""

from . import replies
from .replies import Reply
from .rules.expression import names
from .rules.text import fill
from .rules.vocabulary import CONNECT

BY_DEFAULT = {
    "refuse": replies.RULE_REFUSED,
    "defer": replies.RULE_DEFERRED,
    "close": replies.RULE_CLOSED,
    "throttle": replies.RULE_THROTTLED,
    "greylist": replies.RULE_GREYLISTED,
}
AT_CONNECT = {"refuse": replies.REFUSED_AT_CONNECT, "defer": replies.DEFERRED_AT_CONNECT}
"""RFC 5321 section 3.1: 554 instead of a greeting; 421 with the end of the connection."""


def answer(rule: "Rule", verb: str, stage: int, values: "Mapping[str, bytes]") -> Reply:
    """What the client is told.

    verb    what the reading came to: "defer" for a rule that refuses means that it could not be sure
    values  for the text of the rule
    """
    action = rule.action
    if verb == "defer" and action.verb in ("refuse", "close", "quarantine", "discard"):
        return replies.DEFERRED_AT_CONNECT if stage == CONNECT else replies.UNSURE
    default = BY_DEFAULT[action.verb]
    if stage == CONNECT:
        default = AT_CONNECT.get(action.verb, default)
    if not action.code and action.text is None:
        return default
    code = action.code or default.code
    status = action.status or (default.status if code // 100 == default.code // 100 else f"{code // 100}.7.1")
    lines = default.lines if action.text is None else fill(action.text, values)
    return Reply(code, status, *lines, closes=action.verb == "close" or stage == CONNECT)


def reasons(rule: "Rule", mail: "Mail", known: "Mapping[str, bool | float | None]") -> bytes:
    """{reason}: why the words of a rule hold, those of them that hold."""
    return b", ".join([mail.reasons[name] for name in names(rule.expression) if known.get(name) and name in mail.reasons])


def lists(rule: "Rule", known: "Mapping[str, bool | float | None]") -> bytes:
    """{lists}: the DNS lists of a rule that have the client."""
    return b" ".join([name.encode() for name in rule.lists if known.get(name)])


def values(rule: "Rule", mail: "Mail", known: "Mapping[str, bool | float | None]") -> "Mapping[str, bytes]":
    """What may stand in braces in the text of a rule; fill() makes it fit for a reply."""
    score = known.get("score")
    return {
        "ip": mail.ip, "ptr": mail.ptr or b"unknown", "helo": mail.helo or b"", "sender": mail.sender or b"",
        "rcpt": mail.recipient, "lists": lists(rule, known), "reason": reasons(rule, mail, known), "until": mail.until,
        "score": b"" if score is None else b"%.1f" % score, "rule": b"%d" % rule.line}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .checks.base import Mail
    from .rules.rule import Rule
