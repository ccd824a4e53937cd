"""What ends a session before the client does."""

from .. import replies
from ..checks.base import LookupFailedError
from ..qmail.control import ControlError


class ShutdownError(Exception):
    """We are asked to end, and the client is between two messages."""


FAULT = "fault"
"""The verdict in the log where it is ours; whatever it is, it is a temporary failure."""

ENDS: "tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, replies.Reply | None], ...]" = (
    (TimeoutError, "timeout", replies.TIMEOUT),
    (ConnectionError, "gone", None),
    (ShutdownError, "shutdown", replies.SHUTDOWN),
    ((LookupFailedError, ControlError), FAULT, replies.CONTROLS),
    (MemoryError, FAULT, replies.OUT_OF_MEMORY),
    (Exception, FAULT, replies.INTERNAL),
)
"""The verdict in the log, and what the client hears."""


def end(error: Exception) -> tuple[str, replies.Reply | None]:
    """Those two for what was raised."""
    return next((verdict, reply) for kind, verdict, reply in ENDS if isinstance(error, kind))
