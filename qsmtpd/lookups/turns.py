"""One at a time, and only so many a minute: kept in the store, so over all processes that share it."""

from ..checks.base import LookupFailedError

PATIENCE = 120.0
"""Seconds after which a turn is over whose process has died."""
DAY = 86400.0
MINUTE = 60.0
STEADY = 1.4427
"""What a count with a half-life of a minute comes to at one a minute: 1 / ln 2."""


async def take(store: "Store", key: bytes) -> int:
    """The number of our turn, to be given back to end().

    Each number is claimed once; the end of a turn makes the next number the current one, and a process that died makes its own
    free again when its claim has run out.

    Raises:
        LookupFailedError: somebody else has it, or the store does not answer.
    """
    found = await store.get(key)
    turn = int(found) if found and found.isdigit() and len(found) < 10 else 0
    if not await store.claim(b"%b %d" % (key, turn), PATIENCE):
        raise LookupFailedError("another one is under way")
    return turn


async def end(store: "Store", key: bytes, turn: int) -> None:
    """Let the next one go.

    Raises:
        LookupFailedError: the store does not answer: it will go when PATIENCE is over.
    """
    await store.put(key, b"%d" % (turn + 1), DAY)


async def spend(store: "Store", key: bytes, rate: int) -> None:
    """Count one; what is refused is not counted, or a flood would never let anything pass again.

    rate  that many a minute

    Raises:
        LookupFailedError: there were as many, or the store does not answer.
    """
    if await store.count(key, 0.0, MINUTE) > (rate - 1) * STEADY:
        raise LookupFailedError("too many in the last minute")
    await store.count(key, 1.0, MINUTE)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..checks.base import Store
