"""What to try next, and when to look again.  Pure: the time is an argument, nothing is read or written."""

import heapq
from collections.abc import Iterator

from .names import Held

DELAY_UNIT = 100
"""Seconds: between attempts n and n+1 pass 100 (2n - 1), so that n take 100 n squared, as qmail-send's for local mail."""
DELAY_MAX = 7200
WRONG_CLOCK = 2 * DELAY_MAX
"""A message due later than that was dated by a clock that was wrong, and is due now (A141)."""
ATTEMPTS_MIN = 12
"""No message is given up before it has been tried so often, which takes four hours, whatever the clock says (A141)."""
CRASHES_MAX = 3
"""After so many attempts that had no end it is the message that kills us (A145)."""

_RELEASED, _FRESH, _RETRY, _SUSPECT = range(4)


def delay(attempts: int) -> int:
    """Seconds from an attempt that failed to the next; attempts counts it."""
    return min(DELAY_MAX, DELAY_UNIT * (2 * max(1, attempts) - 1))


def expired(held: Held, lifetime: int, now: float) -> bool:
    """Whether a message that cannot be delivered is given up."""
    return held.attempts >= ATTEMPTS_MIN and now - held.arrival > lifetime


def poisonous(held: Held) -> bool:
    """Whether it is buried instead of tried."""
    return held.crashes >= CRASHES_MAX


def due(held: Held, now: float) -> float:
    """When it may be tried: now or later."""
    return now if held.due > now + WRONG_CLOCK else max(now, held.due)


def order(held: Held) -> tuple[int, int, str]:
    """The place of a due message: released ones first, then fresh ones, then retries; last those in which a runner died."""
    if held.crashes:
        rank = _SUSPECT
    elif held.released:
        rank = _RELEASED
    else:
        rank = _RETRY if held.attempts else _FRESH
    return rank, held.due, held.identity


class Schedule:
    """The held messages, each once; next() gives them out one by one."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._ready: list[tuple[tuple[int, int, str], Held]] = []
        self._waiting: list[tuple[float, Held]] = []

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held.values())

    def add(self, held: Held, now: float, not_before: float = 0) -> None:
        """Put a message in, in the place of an older view of it; not_before delays it in memory only."""
        self._held[held.identity] = held
        at = max(due(held, now), not_before)
        if at <= now:
            heapq.heappush(self._ready, (order(held), held))
        else:
            heapq.heappush(self._waiting, (at, held))

    def replace(self, seen: list[Held], now: float) -> None:
        """Take over what a look into hold/ showed."""
        self._held.clear()
        self._ready.clear()
        self._waiting.clear()
        for held in seen:
            self.add(held, now)

    def all_due(self) -> None:
        """Let everything be tried now."""
        self._waiting.clear()
        self._ready = [(order(held), held) for held in self._held.values()]
        heapq.heapify(self._ready)

    def next(self, now: float, *, released_only: bool = False) -> Held | None:
        """The message to try now, taken out; None when there is none.  Those put in again after it go behind."""
        self._promote(now)
        while self._ready:
            held = self._ready[0][1]
            if self._held.get(held.identity) is not held:
                heapq.heappop(self._ready)
                continue
            if released_only and not held.released:
                return None
            heapq.heappop(self._ready)
            del self._held[held.identity]
            return held
        return None

    def ready(self, now: float) -> int:
        """How many are due."""
        self._promote(now)
        return sum(1 for _, held in self._ready if self._held.get(held.identity) is held)

    def wake(self, now: float) -> float | None:
        """Seconds until the next message is due; None when none waits."""
        while self._waiting and self._held.get(self._waiting[0][1].identity) is not self._waiting[0][1]:
            heapq.heappop(self._waiting)
        return max(0.0, self._waiting[0][0] - now) if self._waiting else None

    def _promote(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, held = heapq.heappop(self._waiting)
            if self._held.get(held.identity) is held:
                heapq.heappush(self._ready, (order(held), held))
