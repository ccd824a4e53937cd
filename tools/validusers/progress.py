"""A line on a terminal that says how far we are; nothing when stderr is none."""

import sys
import time
from collections.abc import Iterable, Iterator

EVERY = 50_000
SECONDS = 0.2
CLEAR = "\r\x1b[K"


def counted(keys: Iterable[bytes], what: str) -> Iterable[bytes]:
    """The same keys; while they go by, their number is shown."""
    return _shown(keys, what) if sys.stderr.isatty() else keys


def _shown(keys: Iterable[bytes], what: str) -> Iterator[bytes]:
    began = last = time.monotonic()
    try:
        for number, key in enumerate(keys, 1):
            if number % EVERY == 0 and time.monotonic() - last > SECONDS:
                last = time.monotonic()
                rate = number / (last - began)
                print(f"{CLEAR}validusers: {what}: {number:,} ({rate:,.0f} a second)", end="", file=sys.stderr, flush=True)
            yield key
    finally:
        print(CLEAR, end="", file=sys.stderr, flush=True)
