"""earlytalk: the client has spoken before the greeting, or has gone (RFC 5321 section 3.1 has it wait).

control/greetdelay says how many seconds the greeting is held back for that, by the name and the meaning that indimail's qmail
has; a negative number says that who speaks early is not to be served, which is for the rules to carry out.  Without it nobody
is waited for and nobody is early.
"""

from .base import Mail


def configured(source: "Source") -> "EarlyTalk":
    """The check."""
    return EarlyTalk(abs(source.greetdelay))


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
    from .base import Findings, Lookups, Source
