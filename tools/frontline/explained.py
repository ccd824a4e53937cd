"""What a rehearsed session came to, for people, and as one JSON object whose keys do not change (frontline(8))."""

from collections.abc import Iterator

from qsmtpd.rules import printer
from qsmtpd.rules.vocabulary import STAGES

from ..command import shown
from .rehearsal import Rehearsal, Step
from .witness import Reading, Seen, Value, Word

SAID = {"connect": "connection from {}", "helo": "EHLO {}", "mail": "MAIL FROM:<{}>", "rcpt": "RCPT TO:<{}>", "data": "DATA",
        "header": "the header is there", "message": "the message is there", "content": "what qqshim makes of it, for {}"}
HOLDS = {True: "yes", False: "no", None: "unknown"}


def for_people(of: Rehearsal, all_rules: bool) -> Iterator[str]:
    """Line by line.

    all_rules  also those that were not read, and what was known already
    """
    for step in of.steps:
        if step.stage == "data" and not (all_rules and step.notes):
            continue
        yield SAID[step.stage].format(shown(step.about))
        for reading in step.readings:
            yield from _reading(reading, all_rules)
        if not step.readings and step.stage not in ("data", "header"):
            yield "    the rules are not read"
        yield from (f"    {note}" for note in step.notes)
        yield from _answer(step)
    if of.over:
        yield "the session ends here"


def _reading(reading: Reading, all_rules: bool) -> Iterator[str]:
    if reading.recipient and reading.stage > 3:
        yield f"    for {shown(reading.recipient)}"
    if not reading.seen:
        yield f"    no rule speaks at {STAGES[reading.stage]}"
    for seen in reading.seen:
        yield f"{seen.rule.line:4}  {HOLDS[seen.holds]:7}  {seen.text}"
        yield from (f"{'':15}{_word(word)}" for word in seen.words if word.asked or all_rules or seen.holds is not False)
    if all_rules:
        yield from (f"{rule.line:4}  not read {printer.line(rule)}" for rule in reading.unread)
        yield from (f"{rule.line:4}  later    {printer.line(rule)}" for rule in reading.later)
    ruled = reading.ruled
    if ruled is not None and ruled.rule:
        yield f"      rule {ruled.rule} decides: {ruled.verb}"


def _word(word: Word) -> str:
    took = f", {word.ms:.1f} ms" if word.ms else ""
    where = f"{word.cost}{took}" if word.asked else "known"
    reason = f": {shown(word.reason)}" if word.reason else ""
    return f"{word.name} = {_value(word.value)} ({where}){reason}"


def _value(value: Value) -> str:
    return HOLDS[value] if value is None or isinstance(value, bool) else f"{value:.6g}"


def _answer(step: Step) -> Iterator[str]:
    if step.reply is None:
        return
    if step.delay:
        yield f"    after {step.delay:g} s"
    *_, last = lines = [shown(line) for line in step.reply.wire.removesuffix(b"\r\n").split(b"\r\n")]
    yield from (f"    < {line}" for line in lines[:-1])
    by = "" if step.rule is None else f"    (rule {step.rule})" if step.rule.isdigit() else f"    (safety: {step.rule})"
    yield f"    < {last}{by}"


def as_json(of: Rehearsal) -> dict[str, object]:
    """See JSON in frontline(8)."""
    client = of.client
    return {
        "ip": _text(client.ip), "ptr": _text(client.ptr), "helo": _text(client.helo), "over": of.over,
        "steps": [_step(step) for step in of.steps]}


def _step(step: Step) -> dict[str, object]:
    reply = step.reply
    return {
        "stage": step.stage, "about": _text(step.about), "reply": None if reply is None else _text(reply.wire),
        "code": None if reply is None else reply.code, "closes": reply is not None and reply.closes, "rule": step.rule,
        "delay": step.delay, "ms": round(step.ms, 3), "notes": step.notes,
        "readings": [_reading_json(reading) for reading in step.readings]}


def _reading_json(reading: Reading) -> dict[str, object]:
    ruled = reading.ruled
    return {
        "stage": STAGES[reading.stage], "recipient": _text(reading.recipient), "rules": [_seen(seen) for seen in reading.seen],
        "not_read": [rule.line for rule in reading.unread], "later": [rule.line for rule in reading.later],
        "verb": None if ruled is None else ruled.verb, "rule": ruled.rule or None if ruled is not None else None}


def _seen(seen: Seen) -> dict[str, object]:
    return {
        "line": seen.rule.line, "text": seen.text, "holds": HOLDS[seen.holds], "shadow": seen.rule.action.shadow,
        "ms": round(seen.ms, 3), "words": [_word_json(word) for word in seen.words]}


def _word_json(word: Word) -> dict[str, object]:
    value = word.value
    return {
        "name": word.name, "value": HOLDS[value] if value is None or isinstance(value, bool) else value,
        "asked": word.asked, "cost": word.cost, "ms": round(word.ms, 3), "reason": _text(word.reason)}


def _text(value: bytes | None) -> str | None:
    """Bytes as characters of the same numbers: nothing is lost."""
    return None if value is None else value.decode("latin-1")
