"""A line on a terminal that says how far we are; nothing when stderr is none."""

import sys
import time
from types import TracebackType
from typing import Self

SECONDS = 0.2
WIDTH = 30
CLEAR = "\r\x1b[K"


class Bar:
    """To be used with "with": the line is gone when the work is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shows = sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shows and self._last:
            print(CLEAR, end="", file=sys.stderr, flush=True)

    def show(self, done: int, total: int) -> None:
        """So many bytes of so many, 0 for unknown; at most five times a second."""
        now = time.monotonic()
        if not self._shows or now - self._last < SECONDS:
            return
        self._last = now
        if total:
            full = min(WIDTH * done // total, WIDTH)
            text = f"[{'=' * full}{' ' * (WIDTH - full)}] {min(100 * done // total, 100)} %"
        else:
            text = f"{done:,} bytes"
        print(f"{CLEAR}{self._what}: {text}", end="", file=sys.stderr, flush=True)
