"""What validusers tells: warnings on stderr at once, samples of long lists, and the exit code that follows from them."""

import sys
from collections import Counter
from collections.abc import Iterator

from ..command import SUCCESS, TROUBLE, YOUR_MISTAKE, shown

SHOWN = 20
"""How much of a long list is shown before "and so many more"."""


class UserError(Exception):
    """Something that the administrator has to mend; nothing is written.  Exit code 100."""


class TroubleError(Exception):
    """Something that may be better next time; nothing is written.  Exit code 111."""


class Report:
    """Collects what went wrong without stopping the run."""

    def __init__(self) -> None:
        self.exit_code = SUCCESS
        self._kinds: Counter[str] = Counter()

    def warn(self, text: str, kind: str = "") -> None:
        """Worth knowing; the result is whole.  Of each kind the first SHOWN are printed; finish() counts the rest."""
        self._kinds[kind] += 1
        if not kind or self._kinds[kind] <= SHOWN:
            print(f"validusers: warning: {text}", file=sys.stderr)

    def incomplete(self, text: str, kind: str = "") -> None:
        """Something could not be read, and the result may lack addresses: exit code 111."""
        self.warn(text, kind)
        self.exit_code = self.exit_code or TROUBLE

    def mistake(self, text: str, kind: str = "") -> None:
        """Something that the administrator wrote was left out: exit code 100."""
        self.warn(text, kind)
        self.exit_code = YOUR_MISTAKE

    def finish(self) -> int:
        """Say how many warnings were not printed.  Returns the exit code."""
        for kind, count in self._kinds.items():
            if kind and count > SHOWN:
                print(f"validusers: warning: ... and {count - SHOWN:,} more {kind}", file=sys.stderr)
        self._kinds.clear()
        return self.exit_code


class Sample:
    """The number of things in a list, and the first SHOWN of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[bytes] = []

    def add(self, thing: bytes) -> None:
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(thing)

    def lines(self, mark: str) -> Iterator[str]:
        """What there is to print, each line begun with a mark."""
        for thing in self.first:
            yield f"{mark} {shown(thing)}"
        if self.count > SHOWN:
            yield f"{mark} ... and {self.count - SHOWN:,} more"
