"""qqshim: stands in for qmail-queue, has the message scanned, and refuses it or becomes the next queue program.

The order matters.  The error channel is looked for while no file of ours is open.  Settings come before the message, so that a
wrong one costs nobody a transfer.  Message and envelope are read whole before anything is decided: without the final NUL the
caller gave up.  The program ends by os._exit or exec: the interpreter's own way out says 1 or 120 when something fails, which
tells callers something else, and may print to what is the caller's channel.
"""

import os
import time
from _signal import SIGALRM, alarm, signal

from qsmtpd.qmail import env, process
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.exitcodes import CONFIGURATION, INTERNAL_BUG, QUEUED, READ_ERROR, TIMEOUT

from . import certificate, channel, config, digest, handon, header, log, scanners
from .faults import ShimError, exit_code, explanation
from .origin import NOBODY, origin
from .receive import AT_ONCE, Mail, receive
from .verdict import Verdict, decide

LIFETIME = 86400
"""Seconds until the program gives up: qmail-queue's DEATH."""
STDERR = 2


class Call:
    """One call of the program: who called, and how he is answered."""

    __slots__ = ("channel", "control", "on_stderr", "origin", "started")

    def __init__(self) -> None:
        self.channel = channel.detect()
        self.started = time.monotonic()
        process.prepare()
        self.control = Control(env.control_directory())
        self.origin = NOBODY
        self.on_stderr = False

    def recognize(self) -> None:
        """Find out who calls.

        Raises:
            ControlError: the file that says who is a server cannot be read.
        """
        self.origin = origin(self.control)
        self.on_stderr = self.origin.server and env.get("ERROR_FD") != b"%d" % STDERR

    def log(self, verdict: bytes, *pairs: "tuple[str, bytes | int | None]") -> None:
        """Write the line of this message."""
        milliseconds = int((time.monotonic() - self.started) * 1000)
        self.note("message", (
            ("ip", self.origin.client), *pairs, ("verdict", verdict), ("ms", milliseconds),
            ("cpu-ms", int(time.process_time() * 1000))))

    def note(self, event: str, pairs: "Facts") -> None:
        """Write another line."""
        log.write(event, (("qp", os.getpid()), *pairs), on_stderr=self.on_stderr)


def main() -> None:
    """Never returns."""
    code = INTERNAL_BUG
    try:
        call = Call()
        try:
            code = _run(call)
        except BaseException as error:  # whatever it is, the caller gets a temporary code
            code = exit_code(error)
            call.log(b"aborted" if code == READ_ERROR else b"failed", ("code", code), ("why", explanation(error)))
    finally:
        os._exit(code)


def _run(call: Call) -> int:
    """Returns what to exit with when the message is not handed on."""
    signal(SIGALRM, _ring)
    alarm(LIFETIME)
    call.recognize()
    if handon.is_loop():
        raise ShimError(CONFIGURATION, "qqnext leads back to qqshim")
    settings = config.settings(call.control)
    asked = scanners.configured(settings)
    reject = config.reject_score(settings)
    key, complaint = config.verdict_key(call.control)
    directory = config.spool_directory(settings)
    quarantine = config.quarantine(settings)
    site = _site(call)

    mail = receive(0, 1, directory, site.fields() if site else ())
    findings = scanners.scan(mail.message, asked)
    verdict = decide(findings, reject, virus_is_ruled=site is not None and site.rule_on("virus"))
    facts = _facts(mail, verdict)
    if verdict.reply is not None:
        return _refuse(call, verdict.reply, facts)
    fields, program = certificate.field(_certificate(call, mail, verdict), key), config.next_program(settings)
    if site is not None:
        from .stage import Stage, said  # noqa: PLC0415 - only for who has rules

        stage = Stage(site, call.origin, mail, call.note)
        ruled = stage.decide(findings, quarantine)
        facts += said(ruled)
        if ruled.reply is not None:
            return _refuse(call, ruled.reply, facts)
        if not stage.put_aside(ruled, directory):
            call.log(b"discarded", *facts)
            channel.tell_score(call.channel, verdict.score)
            return QUEUED
        fields += b"".join([field + b"\n" for field in ruled.fields])
        program = config.hold_program(settings) if ruled.hold else program
    handon.prepare(mail, fields, directory)
    call.log(b"handed on", *facts, ("next", os.fsencode(program)), ("key", complaint.encode() or None))
    channel.tell_score(call.channel, verdict.score)
    handon.become(program)
    return INTERNAL_BUG


def _ring(_number: int, _frame: object) -> None:
    raise ShimError(TIMEOUT, "not done within a day")


def _site(call: Call) -> "Site | None":
    """The rules of the site; None: it has none, or the session has said that none of them is left for us."""
    if call.origin.session and call.origin.told is None:
        return None
    text = call.control.read("rules")
    if text is None:
        return None
    from .site import Site  # noqa: PLC0415 - only for who has rules

    return Site(call.control, text, carried_out=call.origin.session)


def _refuse(call: Call, reply: "Reply", facts: "Facts") -> int:
    """Returns what to exit with."""
    call.log(b"refused" if reply.permanent else b"deferred", *facts)
    return channel.refuse(call.channel, reply)


def _facts(mail: Mail, verdict: Verdict) -> "Facts":
    score = None if verdict.score is None else f"{verdict.score:.1f}".encode()
    return (
        ("from", mail.sender), ("rcpts", mail.recipients), ("size", mail.message.size),
        ("digest", digest.of_text(mail.message.read(mail.body, digest.TEXT_READ))), ("score", score), ("virus", verdict.virus),
        ("tags", ",".join(verdict.tags).encode() or None), ("symbols", verdict.symbols), ("why", verdict.why or None))


def _certificate(call: Call, mail: Mail, verdict: Verdict) -> certificate.Certificate:
    message_id = header.find(mail.message.read(0, AT_ONCE), b"Message-ID")
    return certificate.Certificate(
        time=int(time.time()), verdict=verdict.action, tags=verdict.tags,
        score=None if verdict.score is None else round(verdict.score * 10), recipients=mail.recipients,
        client=call.origin.client, relay=call.origin.relay, sender=digest.of_name(mail.sender),
        message_id=None if message_id is None else digest.of_name(message_id))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .reply import Reply
    from .site import Site

    Facts = tuple[tuple[str, bytes | int | None], ...]
