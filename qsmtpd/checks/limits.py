"""How long a session is held up in all: by control/tarpitcount and tarpitdelay, and by the rules that say "tarpit"."""

TARPIT_MAX = 60.0
"""Seconds a session may be held up."""


class Tarpit:
    """What is left of that time.

    count  recipients of a session that do not exist and are answered at once, 0 for all
    delay  seconds for each after them
    """

    __slots__ = ("count", "delay", "spent")

    def __init__(self, count: int, delay: int) -> None:
        self.count = count
        self.delay = delay
        self.spent = 0.0

    def take(self, seconds: float) -> float:
        """As much of these seconds as is left; it is spent."""
        pause = min(seconds, TARPIT_MAX - self.spent)
        self.spent += pause
        return pause
