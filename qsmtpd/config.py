"""All that qsmtpd reads before the greeting: the table of settings, the rules, and the lists that safety asks.

What the checks need they read when a rule first asks for them (catalogue.py).
"""

from . import catalogue, replies
from .checks import size as sizes
from .checks.rcpthosts import RcptHosts
from .checks.validrcpt import ValidRcpt
from .qmail.control import Control, digits
from .qmail.settings import Setting, Settings
from .rules import files
from .rules.default import RULES

SETTINGS = (
    Setting("smtpgreeting", None, "What the greeting, HELO and QUIT are answered with, our name first; default: me."),
    Setting("localiphost", None, "The domain for box@[address of this machine]; default: me."),
    Setting("envnoathost", None, "The domain of a recipient without one, as qmail-send has it; default: me."),
    Setting("databytes", 0, "The largest message in bytes as stored, 0 for no limit."),
    Setting("timeoutsmtpd", 1200, "Seconds to wait for the client's next whole command, or for it to take a reply."),
    Setting("session_timeout", 7200, "Seconds a session may last, without the queue program's; 0 for no limit."),
    Setting("maxrecipients", 1000, "Recipients of a message before too-many-rcpt holds, 0 for no limit."),
    Setting("brtlimit", 10, "Recipients of a session that do not exist before too-many-bad holds, 0 for no limit."),
    Setting("tarpitcount", 0, "Recipients that do not exist before answers are delayed, 0 for no delay."),
    Setting("tarpitdelay", 5, "Seconds of delay for each of them, 60 in a session at most."),
    Setting("maxnotimpl", 20, "Unknown commands before the session is ended, 0 for no limit."),
    Setting("greetdelay", None,
            "Seconds before the greeting; negative: and the default rules end the session of who speaks before it; default: 0. "
            "SMTPD_GREETDELAY, and DROP_PRE_GREET for negative, are the same."),
    Setting("greylistdelay", 5, "Minutes of a greylist rule that names none."),
    Setting("quarantineto", None, "The address that gets what a rule says to quarantine; absent: such a message is deferred."),
    Setting("holdqueue", b"bin/holdq-queue", "The queue program, from QMAILHOME on, for a message that a rule says to hold."),
    Setting("ruleseed", None, 'Makes "defer P%" draw the same numbers for the same client address and port: for tests.'),
)

FOREVER = 2**31
GREETDELAY_MAX = 270
"""Clients wait five minutes for a greeting (RFC 5321 section 4.5.3.2.1)."""


class Config:
    """The control directory as one session sees it; nothing is read again before the next.

    Raises:
        ControlError: a file is there and cannot be read or makes no sense, or neither smtpgreeting nor me exists.
    """

    def __init__(self, control: Control) -> None:
        values = Settings(SETTINGS, control)
        me = control.line("me")
        greeting = values.text("smtpgreeting") or me
        if not greeting:
            raise control.error("me", "absent or empty; write the name of this host into it")
        self.localiphost = values.text("localiphost") or me
        self.envnoathost = values.text("envnoathost") or me or b""
        self.databytes = values.number("databytes")
        self.replies = replies.OfSite(greeting, sizes.advertised(self.databytes))
        self.timeoutsmtpd = max(values.number("timeoutsmtpd"), 1)
        self.session_timeout = values.number("session_timeout") or FOREVER
        self.maxrecipients = values.number("maxrecipients")
        self.brtlimit = values.number("brtlimit")
        self.tarpitcount = values.number("tarpitcount")
        self.tarpitdelay = values.number("tarpitdelay")
        self.maxnotimpl = values.number("maxnotimpl")
        self.greetdelay = _greetdelay(control, values.text("greetdelay"))
        self.greylistdelay = values.number("greylistdelay")
        self.quarantineto = values.text("quarantineto")
        self.holdqueue = values.text("holdqueue") or b"bin/holdq-queue"
        self.ruleseed = values.text("ruleseed")
        self.control = control
        self.hosts = RcptHosts(_lowered(control, "rcpthosts"))
        self.rcptcheck, server = _ask_others(self)
        self.rcptcallout: "AsksRecipient | None" = server
        self.valid = ValidRcpt(
            _lowered(control, "validrcptto"), _recipients(control), self.envnoathost,
            None if server is None else server.concerns)
        self.tags, self.vocabulary = files.words(control)
        text = control.read("rules")
        self.rules = RULES if text is None else files.rules(control, text, self.vocabulary)

    def check(self, name: str) -> "Check":
        """The check of a name of rules/vocabulary.py.

        Raises:
            ControlError: one of its control files cannot be read or makes no sense.
        """
        return catalogue.make(name, self)


def _greetdelay(control: Control, text: bytes | None) -> int:
    """Seconds with their sign; SMTPD_GREETDELAY and DROP_PRE_GREET, of another qmail, are the same in two variables."""
    if not text:
        text = control.variable("SMTPD_GREETDELAY") or b"0"
        if control.variable("DROP_PRE_GREET"):
            text = b"-" + text
    try:
        seconds = digits(text.removeprefix(b"-"))
    except ValueError as error:
        raise control.error("greetdelay", str(error)) from error
    if seconds > GREETDELAY_MAX:
        raise control.error("greetdelay", f"expected at most {GREETDELAY_MAX} seconds, found {seconds}")
    return -seconds if text.startswith(b"-") else seconds


def _lowered(control: Control, name: str) -> frozenset[bytes] | None:
    lines = control.lines(name)
    return None if lines is None else frozenset(line.lower() for line in lines)


def _ask_others(config: Config) -> "tuple[AsksRecipient | None, RcptCallout | None]":
    """The program, and the servers behind us, that are asked about recipients; None where none is named."""
    program = server = None
    if config.control.variable("RCPTCHECK") or config.control.line("rcptcheck"):
        from .checks import rcptcheck  # noqa: PLC0415

        program = rcptcheck.configured(config)
    if config.control.lines("calloutrcpt"):
        from .checks import rcptcallout  # noqa: PLC0415

        server = rcptcallout.configured(config)
    return program, server


def _recipients(control: Control) -> "Has | None":
    lines = control.lines("recipients")
    if lines is None:
        return None
    from .checks.recipients import Recipients  # noqa: PLC0415 - for those who come from s/qmail

    try:
        return Recipients(lines).have
    except ValueError as error:
        raise control.error("recipients", str(error)) from error


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .checks.base import Check
    from .checks.rcptcallout import RcptCallout
    from .checks.validrcpt import Has
    from .policy import AsksRecipient
