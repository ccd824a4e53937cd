"""control/rules: every fault, and what is no fault but will surprise."""

from collections import Counter
from collections.abc import Iterator, Mapping

from qsmtpd.rules import printer
from qsmtpd.rules.default import RULES
from qsmtpd.rules.expression import Any
from qsmtpd.rules.faults import faults
from qsmtpd.rules.parse import parse
from qsmtpd.rules.rule import Rule, Rules
from qsmtpd.rules.unreachable import unreachable
from qsmtpd.rules.vocabulary import AT_HAND, CONNECT, CONTENT, COSTS, HELO, MESSAGE, STAGES, Term

from .findings import Finding, error, note, warning


def read(text: bytes | None, vocabulary: Mapping[str, Term]) -> Rules | None:
    """The rules, the default ones for None; None when they are wrong."""
    if text is None:
        return RULES
    try:
        return parse(text, vocabulary)
    except ValueError:
        return None


def wrong(file: str, text: bytes, vocabulary: Mapping[str, Term]) -> Iterator[Finding]:
    """Every line that is no rule."""
    for fault in faults(text, vocabulary):
        yield error(file, f"{fault.message}; every session is answered 421 until it is mended", fault.line, fault.column)


def surprising(file: str, rules: Rules, *, quarantine: bool, shim: bool) -> Iterator[Finding]:
    """What is allowed, and probably not meant.

    quarantine  control/quarantineto has an address
    shim        messages go through qqshim, as far as one can see
    """
    for rule, above in unreachable(rules):
        yield warning(file, f"it is never reached: line {above.line} decides before; move it up, or delete it", rule.line)
    if not any(rule.action.verb == "accept" and printer.expression(rule.expression) == "relay" for rule in rules.rules):
        yield warning(file, 'there is no "relay accept": the rules are for your own users too; add it above those that are not')
    for rule in rules.rules:
        yield from (warning(file, what, rule.line) for what in _surprises(rule, quarantine=quarantine))
    scanned = [rule.line for rule in rules.rules if rule.stage == CONTENT]
    if scanned and not shim:
        what = "it asks what scanners found, and nothing shows that qqshim is used; set QMAILQUEUE to qqshim (qqshim(8))"
        yield warning(file, what, scanned[0])


def _surprises(rule: Rule, *, quarantine: bool) -> Iterator[str]:
    action = rule.action
    if action.verb == "refuse" and action.at in (CONNECT, HELO) and not action.shadow:
        yield (f"refuse@{STAGES[action.at]}: qmail's own senders try such a server again for a week; "
               f"leave @{STAGES[action.at]} out, or say defer or close")
    if action.verb == "quarantine" and not quarantine and not action.shadow:
        yield "quarantine without an address: such mail is deferred; write one into control/quarantineto"
    if action.verb == "hold" and rule.stage == MESSAGE:
        yield "hold comes too late here: the queue program has the message already; use words that are known at RCPT"
    decides = action.verb in ("refuse", "close", "defer") and action.percent is None and not action.shadow
    if isinstance(rule.expression, Any) and decides:
        yield f"any {action.verb}: no recipient is accepted below this line"


def costs(file: str, rules: Rules, vocabulary: Mapping[str, Term]) -> Iterator[Finding]:
    """What the rules may ask, and what that costs."""
    first = {name: rule.line for rule in reversed(rules.rules) for name in asks(rule) if name in vocabulary}
    by_cost: Counter[int] = Counter(vocabulary[name].cost for name in first)
    asked = ", ".join(f"{count} {COSTS[cost]}" for cost, count in sorted(by_cost.items()) if cost > AT_HAND)
    yield note(file, f"{len(rules.rules)} rules, {len(first)} words; a session may ask for: {asked or 'nothing'}")
    for cost in sorted(by_cost):
        if cost in DEAR:
            names = sorted(name for name in first if vocabulary[name].cost == cost)
            yield note(file, f"{COSTS[cost]}: {' '.join(names)}; {DEAR[cost]}", min(first[name] for name in names))


def asks(rule: Rule) -> list[str]:
    """The words that it may ask for."""
    return [*rule.names, *(["greylist-age"] if rule.action.verb == "greylist" else [])]


DEAR = {
    2: "the store is opened in each session that gets so far",
    3: "a look-up in the DNS, all that are needed at once; a slow server holds the client up to control/dnstimeout",
    4: "several look-ups in the DNS, one after the other, and a library that costs 0.1 s of CPU to load",
    5: "a talk with another server, or a wait",
}
"""Cost: what it means.  See vocabulary.COSTS."""
