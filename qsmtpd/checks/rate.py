"""How often a client connects: the facts rate and net-rate, connections a minute from its address and from its netblock.

Asks the store, where each is a number that decays.  A session is counted once, when a rule asks for the first time: the numbers
have this session in them.
"""

from math import log

from ..correspondents import network
from .base import LookupFailedError, Mail

HALFLIFE = 60 * log(2)
"""Seconds: with it a steady number of connections a minute comes to that number, and a burst to its size."""


def configured(source: "Source") -> "Rate":
    """The check; it has no settings."""
    return Rate()


class Rate:
    """The check of one session."""

    def __init__(self) -> None:
        self._counted: dict[str, float] = {}

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        try:
            keys = {"rate": mail.ip, "net-rate": network(mail.ip)}
        except ValueError as error:
            raise LookupFailedError("the client's address is not known") from error
        for name in wanted:
            if name not in self._counted:
                self._counted[name] = await lookups.store.count(b"rate:" + keys[name], 1, HALFLIFE)
            mail.reasons[name] = b"%d connections a minute from %b" % (round(self._counted[name]), keys[name])
        return {name: self._counted[name] for name in wanted}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
