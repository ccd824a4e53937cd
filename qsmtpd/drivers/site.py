"""The control files as they are now, for a process of many sessions: read when they change, and shared by all who see the same.

A change that cannot be read, or makes no sense, is told to the log, and what was read before stays in force.  A session keeps
what it began with.
"""

from ..config import Config
from ..lookups.tracebacks import forget_tracebacks
from ..qmail import env
from ..qmail.control import Control, ControlError
from ..qmail.fingerprint import fingerprint

PER_SESSION = ("greylist", "knowngood", "rate", "header")
"""The checks that remember something of their session: each gets its own."""
LOOK_AGAIN = 1.0
"""Seconds between two looks whether a file has changed."""


class SharedConfig(Config):
    """A Config for many sessions: what a check has read it has read for all.

    own_fields  names of header fields that the rules give
    """

    def __init__(self, control: Control) -> None:
        super().__init__(control)
        self.own_fields = self.rules.fields()
        self._checks: dict[str, Check] = {}

    def check(self, name: str) -> "Check":
        """See Config."""
        found = self._checks.get(name)
        if found is None:
            found = super().check(name)
            if name not in PER_SESSION:
                self._checks[name] = found
        return found


class Variables:
    """What tcp.smtp sets for some clients, before the environment of the process."""

    __slots__ = ("values",)

    def __init__(self, values: "Mapping[str, bytes]") -> None:
        self.values = values

    def __call__(self, name: str) -> bytes | None:
        found = self.values.get(name)
        return env.get(name) if found is None else found


class Site:
    """All Configs that are in use: one for each set of variables that tcp.smtp has.

    files  what stands in the control directory: a change of it is a change of everything
    """

    def __init__(self, directory: str, report: "Callable[[bytes], None]") -> None:
        """report  is told why a change is not taken over."""
        self.directory = directory
        self._report = report
        self._configs: dict[bytes, SharedConfig] = {}
        self._seen: Fingerprint | None = None
        self._next_look = 0.0

    def config(self, key: bytes, values: "Mapping[str, bytes]", now: float) -> SharedConfig:
        """The settings of a client.

        key     the same for the same values
        values  variables that tcp.smtp sets
        now     of any clock that goes on

        Raises:
            ControlError: there is nothing that was ever right, or a variable makes no sense.
        """
        if now >= self._next_look:
            self._next_look = now + LOOK_AGAIN
            self._look()
        found = self._configs.get(key)
        if found is None:
            found = self._configs[key] = self._read(values)
        return found

    def forget(self) -> None:
        """Read everything again, whether it has changed or not (HUP)."""
        self._seen = None
        self._next_look = 0.0

    def _look(self) -> None:
        seen = fingerprint(self.directory)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            fresh = self._read({})
        except ControlError as error:
            self._report(str(error).encode("ascii", "replace"))
        else:
            self._configs = {b"": fresh}

    def _read(self, values: "Mapping[str, bytes]") -> SharedConfig:
        try:
            return SharedConfig(Control(self.directory, Variables(values)))
        except ControlError as error:
            forget_tracebacks(error)
            raise


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..checks.base import Check
    from ..qmail.fingerprint import Fingerprint
