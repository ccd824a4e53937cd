"""The way into the spool for a process that takes many messages, the listener: each is an Arrival, as for holdq-queue."""

import os

from qsmtpd.qmail.settings import Settings

from . import config, layout
from .incoming import Arrival


class Arrivals:
    """Makes Arrivals; may be called by several threads at once."""

    def __init__(self, control: "Control") -> None:
        """Reads the settings of holdq-queue.

        Raises:
            ControlError: they make no sense.
        """
        settings = Settings(config.QUEUE_SETTINGS, control)
        self._spool = layout.Spool(config.spool_directory(settings))
        self._network = config.network_uid(settings)
        self._uid = os.getuid()

    def __call__(self, number: int, now: float) -> Arrival:
        """A new Arrival; number takes the place of holdq-queue's process id.  Errors as of Arrival()."""
        return Arrival(self._spool, self._uid, number, self._network, now)

    def poke(self) -> None:
        """Tell the runner that there is new mail."""
        layout.poke(self._spool)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.control import Control
