"""Who rests because he failed several times in a row: as marks.py has it, for one process of many sessions, in its memory."""

from .marks import MEMORY, REST, STRIKES, Marks, rests


class WarmMarks(Marks):
    """See Marks.  The names are those of the configuration, so there are few."""

    __slots__ = ("_strikes",)

    def __init__(self) -> None:
        super().__init__("")
        self._until = {}
        self._strikes: dict[bytes, int] = {}

    def strike(self, name: bytes, now: float, strikes: int = 1, rest: float = REST) -> bool:
        """See Marks."""
        until = self._ends()
        if not name or rests(until.get(name, 0), now):
            return False
        before = self._strikes.get(name, 0) if until.get(name, 0) >= now - MEMORY else 0
        self._strikes[name] = before + strikes
        resting = before + strikes >= STRIKES
        until[name] = now + rest if resting else now
        return resting

    def clear(self, name: bytes) -> None:
        """See Marks."""
        self._ends().pop(name, None)
        self._strikes.pop(name, None)
