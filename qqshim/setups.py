"""What control files and variables say, for many messages: read when a file has changed, and shared by all for whom it is the
same.  What cannot be read, or makes no sense, is an error for each message, as in the program that reads it for one.
"""

import time

from qsmtpd.qmail.fingerprint import fingerprint

from .config import SETTINGS
from .origin import trust
from .passage import Setup
from .site import Site

LOOK_AGAIN = 1.0
"""Seconds between two looks whether a file has changed."""
DIFFERENT = 256
"""Sets of variables that are remembered; there are as many as tcp.smtp makes."""
VARIABLES = tuple(setting.name.upper() for setting in SETTINGS)


class Setups:
    """Of one control directory."""

    def __init__(self, directory: str, patience: float = LOOK_AGAIN) -> None:
        """patience  seconds between two looks"""
        self._directory = directory
        self._patience = patience
        self._next_look = 0.0
        self._seen: object = None
        self._setups: dict[tuple[bytes | None, ...], Setup] = {}
        self._sites: dict[bool, Site | None] = {}
        self._trust: str | None = None

    def look(self) -> None:
        """To be called for each message first: forget what may have changed."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + self._patience
        self._trust = None
        seen = fingerprint(self._directory)
        if seen != self._seen:
            self._seen = seen
            self._setups.clear()
            self._sites.clear()

    def trust(self, control: "Control") -> str:
        """See origin.trust(); errors as there."""
        if self._trust is None:
            self._trust = trust(control)
        return self._trust

    def setup(self, control: "Control") -> Setup:
        """For the caller's variables; errors as of Setup()."""
        key = tuple([control.variable(name) for name in VARIABLES])
        found = self._setups.get(key)
        if found is None:
            found = Setup(control)
            if len(self._setups) >= DIFFERENT:
                self._setups.clear()
            self._setups[key] = found
        return found

    def site(self, control: "Control", *, carried_out: bool) -> Site | None:
        """The rules, None when there are none; errors as of Site()."""
        if carried_out not in self._sites:
            text = control.read("rules")
            self._sites[carried_out] = None if text is None else Site(control, text, carried_out=carried_out)
        return self._sites[carried_out]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.control import Control
