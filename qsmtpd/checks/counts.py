"""What is at hand without asking anybody: who the client is to us, and the recipients so far.

The recipient in hand is counted: as one that exists, or as one that does not.  "accepted" alone is about those before it.
"""

from .base import Mail


def _good(mail: Mail) -> int:
    return mail.good + _in_hand_is_good(mail)


def _in_hand_is_good(mail: Mail) -> bool:
    return mail.ours and mail.known is not False


OF_SESSION: "Values" = {
    "relay": lambda mail, limits: mail.relay is not None,
    "greetdelay": lambda mail, limits: limits.greetdelay,
    "greylist-delay": lambda mail, limits: limits.greylistdelay,
    "null-sender": lambda mail, limits: mail.sender == b"",
}
"""The words of the checks "session" and "nullsender"."""

COUNTS: "Values" = {
    "valid": lambda mail, limits: mail.known,
    "invalid": lambda mail, limits: mail.known is False,
    "too-many-rcpt": lambda mail, limits: 0 < limits.maxrecipients <= len(mail.recipients) and _in_hand_is_good(mail),
    "too-many-bad": lambda mail, limits: mail.known is False and 0 < limits.brtlimit < mail.bad,
    "bounce-many": lambda mail, limits: mail.sender == b"" and len(mail.recipients) > 0,
    "rcpt": lambda mail, limits: mail.rcpt,
    "badrcpt": lambda mail, limits: mail.bad,
    "goodrcpt": lambda mail, limits: _good(mail),
    "mail-rcpt": lambda mail, limits: mail.rcpt - mail.before[0],
    "mail-badrcpt": lambda mail, limits: mail.bad - mail.before[2],
    "mail-goodrcpt": lambda mail, limits: _good(mail) - mail.before[1],
    "badpercent": lambda mail, limits: 100 * mail.bad / max(mail.rcpt, 1),
    "accepted": lambda mail, limits: mail.good,
}
"""Those of "recipient"."""

NEVER: "Values" = {
    "too-many-rcpt": lambda mail, limits: limits.maxrecipients <= 0,
    "too-many-bad": lambda mail, limits: limits.brtlimit <= 0,
    "bounce-many": lambda mail, limits: mail.sender != b"",
}
"""Which of those hold for no recipient of a transaction, as is known when it begins."""

OF_MESSAGE: "Values" = {
    "size": lambda mail, limits: mail.size,
    "hops": lambda mail, limits: mail.hops,
}
"""Those of "size"."""

VALUES = {**OF_SESSION, **COUNTS, **OF_MESSAGE}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Limits(Protocol):
        """The settings that are words of the rules, or what their words are measured by."""

        maxrecipients: int
        brtlimit: int
        greetdelay: int
        greylistdelay: int

    Values = dict[str, Callable[[Mail, Limits], bool | float | None]]
