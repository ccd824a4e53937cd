"""Too many recipients.

In a message: control/maxrecipients, 452, and the client sends the rest in another message.  In a session, that do not exist:
control/brtlimit, 421 and the end; control/tarpitcount and tarpitdelay, a pause before each answer.
"""

from ..replies import TOO_MANY_INVALID, TOO_MANY_RECIPIENTS, Reply
from .base import Mail

TARPIT_MAX = 60.0
"""Seconds a session may be held up in all."""


class TooManyRecipients:
    """control/maxrecipients."""

    name = "maxrecipients"

    def __init__(self, maximum: int) -> None:
        """maximum  recipients of a message."""
        self.maximum = maximum

    async def __call__(self, mail: Mail, lookups: "Lookups") -> Reply | None:
        return TOO_MANY_RECIPIENTS if len(mail.recipients) >= self.maximum else None


class TooManyInvalid:
    """control/brtlimit."""

    name = "brtlimit"

    def __init__(self, limit: int) -> None:
        """limit  invalid recipients that are answered in a session; the next one ends it."""
        self.limit = limit

    async def __call__(self, mail: Mail, lookups: "Lookups") -> Reply | None:
        return TOO_MANY_INVALID if mail.known is False and mail.bad > self.limit else None


class Tarpit:
    """How long to wait before an invalid recipient is answered."""

    __slots__ = ("count", "delay", "spent")

    def __init__(self, count: int, delay: int) -> None:
        """count  invalid recipients of a session that are answered at once, 0 for all; delay  seconds for each after them."""
        self.count = count
        self.delay = delay
        self.spent = 0.0

    def seconds(self, bad: int) -> float:
        """The pause for the bad-th invalid recipient."""
        if not self.count or bad <= self.count:
            return 0.0
        pause = min(float(self.delay), TARPIT_MAX - self.spent)
        self.spent += pause
        return pause


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
