"""earlytalk: the client has spoken before the greeting, or has gone (RFC 5321 section 3.1 has it wait).

control/greetdelay says how many seconds the greeting is held back for that, by the name and the meaning that indimail's qmail
has; a negative number says that who speaks early is not to be served, which is for the rules to carry out.  Without it nobody
is waited for and nobody is early.  In place of it: SMTPD_GREETDELAY, as sagredo's qmail has it, and DROP_PRE_GREET, which makes
it negative.
"""

from ..qmail import env
from ..qmail.control import digits
from ..qmail.settings import Setting, Settings
from .base import Mail

SECONDS_MAX = 270
"""Clients wait five minutes for a greeting (RFC 5321 section 4.5.3.2.1)."""


def greetdelay(control: "Control") -> int:
    """The setting, which config.py documents: seconds, with its sign.

    Raises:
        ControlError: it is no number, or too large.
    """
    text = Settings((Setting("greetdelay", None, ""),), control).text("greetdelay")
    if not text:
        text = env.get("SMTPD_GREETDELAY") or b"0"
        if env.get("DROP_PRE_GREET"):
            text = b"-" + text
    try:
        seconds = digits(text.removeprefix(b"-"))
    except ValueError as error:
        raise control.error("greetdelay", str(error)) from error
    if seconds > SECONDS_MAX:
        raise control.error("greetdelay", f"expected at most {SECONDS_MAX} seconds, found {seconds}")
    return -seconds if text.startswith(b"-") else seconds


def configured(source: "Source") -> "EarlyTalk":
    """The check, its setting read.

    Raises:
        ControlError: see greetdelay().
    """
    return EarlyTalk(abs(greetdelay(source.control)))


class EarlyTalk:
    """The check of this module; asked once in a session, as every check."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        early = self.seconds > 0 and await lookups.early(self.seconds)
        if early:
            mail.reasons["earlytalk"] = b"before the greeting"
        return {"earlytalk": early}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..qmail.control import Control
    from .base import Findings, Lookups, Source
