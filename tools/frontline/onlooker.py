"""The look-ups of a session that never was: they see what its own would, and leave no trace.

What would be written into the store is kept for as long as this process asks; a zone or a name server that does not answer gets
no mark.  Programs that the site has named, and servers of others that callouts ask, are asked as ever.
"""

import os
import time
from collections.abc import Sequence

from qsmtpd.lookups import resolver
from qsmtpd.lookups.blocking import BlockingLookups
from qsmtpd.lookups.marks import Marks
from qsmtpd.lookups.store import SETTINGS, open_store
from qsmtpd.qmail.settings import Settings

from .stopwatch import Stopwatch


class Onlooker(BlockingLookups):
    """See BlockingLookups.

    watch  is told how long questions to the DNS took that were asked together; to be set before the first
    """

    watch: Stopwatch

    @property
    def dns(self) -> "Dns":
        """Its own resolver, with marks that are only read."""
        if self._dns is None:
            asking = resolver.from_system(self._control.directory, ReadMarks(f"{self.home}/frontline/marks"))
            self._dns = TimedDns(asking, self.watch)
        return self._dns

    @property
    def store(self) -> "Store":
        """The site's, behind a ReadStore.

        An SQLite file that is not there is not made: whoever runs us would own it.
        """
        if self._store is None:
            values = Settings(SETTINGS, self._control)
            inner = open_store(values.text("store") or b"", self.home, values.number("storemax"))
            path = getattr(inner, "path", None)
            self._store = ReadStore(None if path is not None and not os.path.exists(path) else inner)
        return self._store


class ReadMarks(Marks):
    """Marks of others."""

    __slots__ = ()

    def strike(self, name: bytes, now: float, strikes: int = 1, rest: float = 0) -> bool:
        """Nothing rests because of us."""
        return False

    def clear(self, name: bytes) -> None:
        """Nobody stops resting because of us."""


class TimedDns:
    """A Dns that tells how long it took."""

    def __init__(self, inner: "Dns", watch: Stopwatch) -> None:
        self._inner = inner
        self._watch = watch

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        return await self._inner.ask(name, kind)

    async def prefetch(self, questions: "Sequence[Question]") -> None:
        began = time.monotonic()
        await self._inner.prefetch(questions)
        self._watch.together(time.monotonic() - began)

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        return self._inner.strike(zone, strikes)

    def clear(self, zone: bytes) -> None:
        self._inner.clear(zone)


class ReadStore:
    """What a store has, and over it what was to be written."""

    def __init__(self, inner: "Store | None") -> None:
        """inner  None for an empty one."""
        self._inner = inner
        self._values: dict[bytes, bytes | None] = {}
        self._counts: dict[bytes, float] = {}
        self._claimed: set[bytes] = set()

    async def get(self, key: bytes) -> bytes | None:
        if key in self._values:
            return self._values[key]
        return None if self._inner is None else await self._inner.get(key)

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        await self.get(key)  # a store that is down is down for who writes, too
        self._values[key] = value if lifetime > 0 else None

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        """See Store; what was added a moment ago has not decayed."""
        if key not in self._counts:
            self._counts[key] = 0.0 if self._inner is None else await self._inner.count(key, 0.0, halflife)
        self._counts[key] += amount
        return self._counts[key]

    async def claim(self, key: bytes, lifetime: float) -> bool:
        """Whether we are the first: what others have claimed is not known."""
        await self.get(b"")
        first = key not in self._claimed
        self._claimed.add(key)
        return first


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.checks.base import Dns, Question, Store
