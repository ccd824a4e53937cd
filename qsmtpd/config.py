"""All that qsmtpd reads before the greeting: the table of settings, and the control files that are lists."""

from .checks.validrcpt import RecipientsRule
from .qmail.control import Control
from .qmail.settings import Setting, Settings

SETTINGS = (
    Setting("smtpgreeting", None, "What the greeting, HELO and QUIT are answered with, our name first; default: me."),
    Setting("localiphost", None, "The domain for box@[address of this machine]; default: me."),
    Setting("envnoathost", None, "The domain of a recipient without one, as qmail-send has it; default: me."),
    Setting("databytes", 0, "The largest message in bytes as stored, 0 for no limit."),
    Setting("timeoutsmtpd", 1200, "Seconds to wait for the client's next whole command, or for it to take a reply."),
    Setting("session_timeout", 7200, "Seconds a session may last, without the queue program's; 0 for no limit."),
    Setting("maxrecipients", 1000, "Recipients of a message, 0 for no limit."),
    Setting("brtlimit", 10, "Recipients that do not exist before the session is ended, 0 for no limit."),
    Setting("tarpitcount", 0, "Recipients that do not exist before answers are delayed, 0 for no delay."),
    Setting("tarpitdelay", 5, "Seconds of delay for each of them, 60 in a session at most."),
    Setting("maxnotimpl", 20, "Unknown commands before the session is ended, 0 for no limit."),
)


FOREVER = 2**31


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
        self.smtpgreeting = greeting
        self.localiphost = values.text("localiphost") or me
        self.envnoathost = values.text("envnoathost") or me or b""
        self.databytes = values.number("databytes")
        self.timeoutsmtpd = max(values.number("timeoutsmtpd"), 1)
        self.session_timeout = values.number("session_timeout") or FOREVER
        self.maxrecipients = values.number("maxrecipients")
        self.brtlimit = values.number("brtlimit")
        self.tarpitcount = values.number("tarpitcount")
        self.tarpitdelay = values.number("tarpitdelay")
        self.maxnotimpl = values.number("maxnotimpl")
        self.badmailfrom = _lowered(control, "badmailfrom") or frozenset()
        self.rcpthosts = _lowered(control, "rcpthosts")
        self.validrcptto = _lowered(control, "validrcptto")
        self.recipients = _recipients(control)


def _lowered(control: Control, name: str) -> frozenset[bytes] | None:
    lines = control.lines(name)
    return None if lines is None else frozenset(line.lower() for line in lines)


def _recipients(control: Control) -> tuple[RecipientsRule, ...] | None:
    lines = control.lines("recipients")
    if lines is None:
        return None
    try:
        return tuple(RecipientsRule(line) for line in lines)
    except ValueError as error:
        raise control.error("recipients", str(error)) from error
