"""What tcp.smtp says of a client, in a process of many sessions: the cdb of tcprules(1), opened anew when it has changed."""

import os

from ..lookups.blocking import opened
from ..qmail import tcprules

LOOK_AGAIN = 1.0
"""Seconds between two looks whether the file is another one."""
REMEMBERED_MAX = 1000


class Found:
    """allow   the client may connect
    key        the same for the same variables
    variables  that its session gets
    """

    __slots__ = ("allow", "key", "variables")

    def __init__(self, allow: bool, key: bytes, variables: "Mapping[str, bytes]") -> None:
        self.allow = allow
        self.key = key
        self.variables = variables


EVERYBODY = Found(True, b"", {})
NOBODY = Found(False, b"", {})


class ClientRules:
    """The rules of one file, or of none."""

    def __init__(self, path: str | None, without: bool, report: "Callable[[bytes], None]") -> None:
        """path   of the cdb; None: everybody may connect
        without   everybody may connect also while it is not there
        report    is told why it cannot
        """
        self._path = path
        self._without = without
        self._otherwise = NOBODY
        self._report = report
        self._rules: cdbx.CDB | None = None
        self._seen: object = None
        self._next_look = 0.0
        self._decoded: dict[bytes, Found] = {}

    def find(self, ip: bytes, host: bytes | None, now: float) -> Found:
        """What is said of an address, and of its name if that is known; now is of any clock that goes on."""
        if self._path is None:
            return EVERYBODY
        if now >= self._next_look:
            self._next_look = now + LOOK_AGAIN
            self._look(self._path)
        if self._rules is None:
            return self._otherwise
        try:
            found = tcprules.find(self._rules, tcprules.address(ip), host)
        except (OSError, MemoryError, OverflowError) as error:
            self._report(str(error).encode("ascii", "replace"))
            return NOBODY
        return EVERYBODY if found is None else self._meaning(found[1])

    def forget(self) -> None:
        """Open the file again, whether it has changed or not (HUP)."""
        self._seen = None
        self._next_look = 0.0

    def _meaning(self, data: bytes) -> Found:
        found = self._decoded.get(data)
        if found is None:
            if len(self._decoded) >= REMEMBERED_MAX:
                self._decoded.clear()
            allow, variables = tcprules.decode(data)
            found = self._decoded[data] = Found(allow, data if variables else b"", variables)
        return found

    def _look(self, path: str) -> None:
        try:
            status = os.stat(path)
            seen = status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
            if seen == self._seen:
                return
            self._rules, self._seen = opened(path), seen
        except (OSError, MemoryError, OverflowError) as error:
            self._rules = None
            self._otherwise = EVERYBODY if self._without and isinstance(error, FileNotFoundError) else NOBODY
            if self._seen is not path:
                self._report(f"{path}: {error}".encode("utf-8", "replace"))
            self._seen = path
        self._decoded.clear()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import cdbx
