"""Which store the site has: control/store names it by URL, and nothing is imported or opened before asked (docs/store.md).

Both kinds keep to the Protocol Store of checks/base.py, and to this besides:

- get and put, count, and claim have a name space each: a count and a value of the same key do not meet
- a lifetime of 0 or less forgets the key; one of more than LONGEST is LONGEST
- a key that begins with "?" is of somebody who may never come back: in a full store these go first, the oldest before the
  others.  One that begins with "!" goes last.  (In Redis its own maxmemory-policy decides.)
- an answer that cannot be had within two seconds is a LookupFailedError, and for some seconds so is every other
"""

from ..checks.base import LookupFailedError
from ..qmail.settings import Setting

# ruff: noqa: PLC0415 - a session pays for the store that the site has, and only when a rule asks for it

LIMIT = 1_000_000

LONGEST = 200 * 86400.0
"""The longest lifetime, in seconds."""

TIMEOUT = 2.0
"""Seconds for one answer."""

PAUSE = 5.0
"""Seconds for which a store that failed is not asked again: a session's other questions fail at once."""

HALFLIVES = 20
"""After so many without an addition, a count is forgotten: a millionth is left of it."""

SETTINGS = (
    Setting("store", None, "What the checks remember: sqlite:/PATH, redis://HOST:PORT/DB or unix:///PATH; "
                          "default: sqlite:$QMAILHOME/frontline/store.sqlite."),
    Setting("storemax", LIMIT, "Entries in an SQLite store; when there are more, the least worth go."),
)


def open_store(url: bytes, home: str, limit: int = LIMIT) -> "Opened":
    """The store of a URL (see SETTINGS), b"" for the default one.  Nothing fails here: a fault comes to light at use."""
    text = url.decode("utf-8", "surrogateescape")
    kind, _, rest = text.partition(":")
    if not text or (kind == "sqlite" and rest):
        from .sqlitestore import SqliteStore
        path = "/" + rest.lstrip("/") if rest else f"{home}/frontline/store.sqlite"
        return SqliteStore(path, max(limit, 1))
    if kind in ("redis", "rediss", "unix"):
        from .redisstore import RedisStore
        return RedisStore(text)
    return NoStore(f"control/store: expected sqlite:, redis: or unix:, found {kind[:20]}:")


class NoStore:
    """What stands for a store whose URL makes no sense."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why

    async def get(self, key: bytes) -> bytes | None:
        raise LookupFailedError(self.why)

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        raise LookupFailedError(self.why)

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        raise LookupFailedError(self.why)

    async def claim(self, key: bytes, lifetime: float) -> bool:
        raise LookupFailedError(self.why)

    def close(self) -> None:
        """There is nothing to close."""


class Outage:
    """Whether a store has failed of late."""

    __slots__ = ("_since", "_why")

    def __init__(self) -> None:
        self._since: float | None = None
        self._why = ""

    def check(self, now: float) -> None:
        """Raise the same error again while it is fresh; a clock that went back ends it."""
        if self._since is not None and 0 <= now - self._since < PAUSE:
            raise LookupFailedError(self._why)
        self._since = None

    def begin(self, now: float, why: str) -> LookupFailedError:
        """The error to be raised, now and for PAUSE seconds."""
        self._since = now
        self._why = why
        return LookupFailedError(why)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..checks.base import Store

    class Opened(Store, Protocol):
        """A Store that can be given back."""

        def close(self) -> None: ...
