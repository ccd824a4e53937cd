"""What becomes of a message, from what the scanners found.  Pure: no file, no clock, no environment.

    a virus                                 refuse, unless the site's rules say what follows
    a score that is high enough             refuse
    a failure whose policy is "defer"       451, with a fixed text: the log says why
    anything else found, or not looked at   tag
    nothing                                 pass

A refusal stands on what a scanner found, never on what it could not find.
"""

from .reply import Reply

NOT_NOW = Reply(451, "4.3.0", "sorry, this message cannot be scanned now, try again later")


class Verdict:
    """What becomes of a message.

    action   "pass", "tag": it is handed on; "refuse", "defer": it is not
    tags     what holds, words for people and rules
    reply    what the client is told; None when the message is handed on
    score    spamd's, None when unknown
    symbols  the rules behind the score
    virus    the signature that matched
    why      why scanners failed, for the log
    """

    __slots__ = ("action", "reply", "score", "symbols", "tags", "virus", "why")

    def __init__(self, action: str, tags: tuple[str, ...], reply: Reply | None, findings: "Sequence[Finding]") -> None:
        self.action = action
        self.tags = tags
        self.reply = reply
        self.score = next((finding.score for finding in findings if finding.score is not None), None)
        self.symbols = next((finding.symbols for finding in findings if finding.symbols is not None), None)
        self.virus = next((finding.virus for finding in findings if finding.virus is not None), None)
        self.why = b"; ".join(
            b"%b: %b" % (finding.scanner.encode(), finding.why) for finding in findings if finding.failed is not None)


def decide(findings: "Sequence[Finding]", reject: float | None, *, virus_is_ruled: bool = False) -> Verdict:
    """The verdict on a message.

    reject          the score from which a message is refused; None: never for its score
    virus_is_ruled  what a virus comes to is left to the rules of the site
    """
    tags = tuple(tag for finding in findings for tag in _tags(finding))
    reply = _refusal(findings, reject, virus_is_ruled)
    if reply is not None:
        return Verdict("refuse", tags, reply, findings)
    if any(finding.defer for finding in findings):
        return Verdict("defer", tags, NOT_NOW, findings)
    return Verdict("tag" if tags else "pass", tags, None, findings)


def _tags(finding: "Finding") -> "Iterator[str]":
    if finding.virus is not None:
        yield "virus"
    if finding.spam:
        yield "spam"
    if finding.failed is not None:
        yield f"{finding.scanner}-{finding.failed}"


def _refusal(findings: "Sequence[Finding]", reject: float | None, virus_is_ruled: bool) -> Reply | None:
    for finding in findings:
        if finding.virus is not None and not virus_is_ruled:
            return Reply(554, "5.7.1", f"sorry, this message contains {finding.virus.decode('ascii', 'replace')}")
    for finding in findings:
        if reject is not None and finding.score is not None and finding.score >= reject:
            return Reply(554, "5.7.1", f"sorry, this message looks like spam, its score is {finding.score:.1f}")
    return None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .scanners.base import Finding
