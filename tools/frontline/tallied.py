"""What a replay adds up to, for people, and as one JSON object whose keys do not change (frontline(8))."""

from collections.abc import Iterator

from qsmtpd.rules import printer
from qsmtpd.rules.vocabulary import RCPT

from ..command import shown
from .logged import LoggedConfig
from .tally import Count, Example, Kind, Tally

TOLD = {2: "accepted", 4: "deferred", 5: "refused"}


def for_people(config: LoggedConfig, tally: Tally, unfinished: int, unreadable: int) -> Iterator[str]:
    """Line by line."""
    texts = {str(rule.line): printer.line(rule) for rule in config.whole.rules}
    yield f"{tally.sessions:,} sessions with {tally.recipients:,} recipients"
    if unfinished or unreadable:
        yield f"left out: {unfinished:,} sessions without an end in the log, {unreadable:,} that make no sense"
    late = sum(rule.stage > RCPT for rule in config.whole.rules)
    if late:
        yield f"not read: {late:,} rules that are about the message"
    another = f", {tally.by_another:,} of them by another rule" if tally.by_another else ""
    yield f"{tally.unchanged:,} recipients unchanged{another}"
    for kind, count in tally.largest():
        who = f"{count.recipients:,} recipients, {count.sessions:,} sessions"
        yield f"{TOLD[kind.before]}, now {TOLD[kind.after]}: {who}: {_why(kind, texts)}"
        yield from (f"    {_example(each)}" for each in count.examples)
    yield from _undecidable(tally)
    for line, times in sorted(tally.shadows.items()):
        yield f"rule {line} would act on {times:,} recipients: {texts[str(line)]}"
    for line, times in sorted(tally.logged.items()):
        yield f"in the log, rule {line} of its time would have acted {times:,} times"
    delays = tally.delays()
    if delays:
        yield (f"greylisting kept {delays[0]:,} messages waiting: half of them up to {delays[1]:,} min, "
               f"nine of ten up to {delays[2]:,} min, the longest {delays[3]:,} min")


def _undecidable(tally: Tally) -> Iterator[str]:
    count = tally.undecidable
    if count.sessions:
        yield f"undecidable: {count.recipients:,} recipients, {count.sessions:,} sessions; the log does not have for them:"
        yield from (f"{times:12,}  {word}" for word, times in tally.missing.most_common())


def _why(kind: Kind, texts: dict[str, str]) -> str:
    if kind.after == 2:
        return f"by {_named(kind.rule)} of the log"
    return f"rule {kind.rule}: {texts[kind.rule]}" if kind.rule in texts else f"by {_named(kind.rule)}"


def _named(rule: str) -> str:
    return f"rule {rule}" if rule.isdigit() else rule or "nothing"


def _example(each: Example) -> str:
    people = "" if each.recipient is None else f" from=<{shown(each.sender or b'')}> to=<{shown(each.recipient)}>"
    return f"id={shown(each.identity)} ip={shown(each.ip)}{people}"


def as_json(tally: Tally, unfinished: int, unreadable: int) -> dict[str, object]:
    """See JSON in frontline(8)."""
    delays = tally.delays()
    return {
        "sessions": tally.sessions, "recipients": tally.recipients, "unfinished": unfinished, "unreadable": unreadable,
        "unchanged": tally.unchanged, "by_another_rule": tally.by_another,
        "changes": [_change(kind, count) for kind, count in tally.largest()],
        "undecidable": {"recipients": tally.undecidable.recipients, "sessions": tally.undecidable.sessions,
                        "missing": dict(tally.missing.most_common())},
        "shadows": {str(line): times for line, times in sorted(tally.shadows.items())},
        "logged_shadows": {str(line): times for line, times in sorted(tally.logged.items())},
        "delays": None if delays is None else dict(zip(("messages", "median", "ninety", "longest"), delays, strict=True))}


def _change(kind: Kind, count: Count) -> dict[str, object]:
    return {
        "before": TOLD[kind.before], "after": TOLD[kind.after], "rule": kind.rule, "recipients": count.recipients,
        "sessions": count.sessions, "examples": [
            {"id": _text(each.identity), "ip": _text(each.ip), "from": _text(each.sender), "to": _text(each.recipient)}
            for each in count.examples]}


def _text(value: bytes | None) -> str | None:
    """Bytes as characters of the same numbers: nothing is lost."""
    return None if value is None else value.decode("latin-1")
