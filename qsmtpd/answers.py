"""The reply of a rule that has decided, and what may stand in its text."""

from .replies import Reply
from .rules.wording import NO_QUARANTINE, Wording, lists, reasons, wording


def answer(rule: "Rule", verb: str, stage: int, values: "Mapping[str, bytes]") -> Reply:
    """What the client is told; see wording()."""
    return _reply(wording(rule, verb, stage, values))


def no_quarantine() -> Reply:
    """A rule says to quarantine, and there is no place for it."""
    return _reply(NO_QUARANTINE)


def _reply(said: Wording) -> Reply:
    return Reply(said.code, said.status, *said.lines, closes=said.closes)


def values(rule: "Rule", mail: "Mail", known: "Mapping[str, bool | float | None]") -> "Mapping[str, bytes]":
    """What may stand in braces in the text of a rule; fill() makes it fit for a reply."""
    score = known.get("score")
    return {
        "ip": mail.ip, "ptr": mail.ptr or b"unknown", "helo": mail.helo or b"", "sender": mail.sender or b"",
        "rcpt": mail.recipient, "lists": lists(rule, known), "reason": reasons(rule, known, mail.reasons),
        "until": mail.until, "score": b"" if score is None else b"%.1f" % score, "rule": b"%d" % rule.line}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .checks.base import Mail
    from .rules.rule import Rule
