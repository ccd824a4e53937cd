"""Where things stand in the spool, and what a message is called (INTERNALS.md sections 1 and 2)."""

import os

PART = "part."
"""What the name of a file begins with while it is being written."""
FILE_MODE = 0o660
TRIGGER_BYTES = 65536
"""What the trigger holds when it is full (pipe(7))."""

_HEX = frozenset("0123456789abcdef")


class Spool:
    """The paths of one spool; makes none of them."""

    __slots__ = ("directory",)

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @property
    def incoming(self) -> str:
        return f"{self.directory}/incoming"

    @property
    def hold(self) -> str:
        return f"{self.directory}/hold"

    @property
    def dead(self) -> str:
        return f"{self.directory}/dead"

    @property
    def why(self) -> str:
        return f"{self.directory}/why"

    @property
    def odd(self) -> str:
        return f"{self.directory}/odd"

    @property
    def lock(self) -> str:
        return f"{self.directory}/lock"

    @property
    def trigger(self) -> str:
        return f"{self.directory}/trigger"

    @property
    def door(self) -> str:
        return f"{self.directory}/door"


def new_id(now: float) -> str:
    """The name of a new message: "6920a3c1-9f3c2a7b51d2e4f6".  Its 64 random bits alone make it unique, not the clock."""
    return f"{max(0, int(now)):08x}-{os.urandom(8).hex()}"


def is_id(name: str) -> bool:
    """Whether the name is one that new_id() gives."""
    time, dash, random = name.partition("-")
    return bool(dash) and 8 <= len(time) <= 10 and len(random) == 16 and _HEX.issuperset(time) and _HEX.issuperset(random)


def arrival(identity: str) -> int:
    """Seconds since 1970 at which a message came, from its ID."""
    return int(identity.partition("-")[0], 16)


def poke(spool: Spool, what: bytes = b"n") -> None:
    """Wake the runner: n, there is new mail; r, a person changed what is held.  If there is no runner, nobody minds."""
    try:
        fd = os.open(spool.trigger, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        os.write(fd, what)
    except OSError:
        pass
    finally:
        os.close(fd)
