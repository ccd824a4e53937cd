"""Deadlines of many connections, for the price of a number each: nothing is set or cancelled when bytes come or go.

Whoever has a deadline is put into the slot of the second in which it passes.  When that second has come he is asked again: by
then it may be later, and he goes into another slot.
"""

import math

FAR = 16
"""Seconds after which everybody is asked again.  Who has gone would else be kept until the deadline that he had (A39)."""


class Wheel:
    """Slots of a second each."""

    __slots__ = ("_slots", "_swept")

    def __init__(self, now: float) -> None:
        self._slots: dict[int, set[Timed]] = {}
        self._swept = int(now)

    def add(self, timed: "Timed") -> None:
        """Watch over somebody's deadline, until it has passed or there is none; he is asked for it at the next sweep."""
        self._slots.setdefault(self._swept, set()).add(timed)

    def sweep(self, now: float) -> None:
        """Call expire() of all whose deadline has passed; to be called about once a second."""
        until = int(now)
        for second in range(self._swept, until):
            for timed in self._slots.pop(second, ()):
                deadline = timed.deadline()
                if deadline <= now:
                    timed.expire()
                elif deadline != math.inf:
                    self._slots.setdefault(min(int(deadline), until + FAR), set()).add(timed)
        self._swept = max(until, self._swept)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Timed(Protocol):
        """Who has a deadline."""

        def deadline(self) -> float:
            """When the time is over, by the loop's clock; infinity for never any more."""

        def expire(self) -> None:
            """It is."""
