"""The lines that a session writes to the log (docs/log.md), gathered, for one by itself costs as much as an answer."""

LINES_MAX = 40
"""Lines that wait for each other."""


class Journal:
    """Lines of one session, each with its identity."""

    __slots__ = ("_identity", "_lines", "_log")

    def __init__(self, identity: str, log: "Log") -> None:
        self._identity = identity
        self._log = log
        self._lines: list[tuple[str, Pairs]] = []

    def note(self, event: str, pairs: "Pairs") -> None:
        """A line to be written with the next that cannot wait."""
        self._lines.append((event, [("id", self._identity), *pairs]))
        if len(self._lines) >= LINES_MAX:
            self.write()

    def write(self) -> None:
        """Write what there is."""
        lines, self._lines = self._lines, []
        self._log(lines)

    def fault(self, error: Exception) -> None:
        """Something of ours went wrong; it is written at once."""
        self.note("fault", [("why", f"{type(error).__name__}: {error}".encode("utf-8", "replace"))])
        self.write()

    def note_lookup(self, why: bytes) -> None:
        """Something that was asked did not answer as it should."""
        self.note("lookup", [("why", why)])

    def note_rule(self, line: int, text: bytes) -> None:
        """A rule that says "log" holds."""
        self.note("log", [("rule", line), ("text", text)])


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..qmail.logline import Pairs

    class Log(Protocol):
        """Writes lines, at once."""

        def __call__(self, lines: list[tuple[str, Pairs]]) -> None: ...
