"""The store for a process of many sessions: asked by threads of its own, for both kinds of it block.

SQLite has one thread, to which the file belongs; Redis some, each with a connection.  So there is one implementation of each,
and nothing waits on the event loop.  What cannot be had in time, or because too much is wanted at once, is a LookupFailedError.
"""

from queue import SimpleQueue
from threading import Thread

from ..checks.base import LookupFailedError
from ..qmail.settings import Settings
from ..rules.atonce import complete
from .store import SETTINGS, TIMEOUT, open_store
from .waiting import within

ASKED_MAX = 1000
"""Questions that are not answered yet."""
PATIENCE = 2 * TIMEOUT + 1
"""Seconds for an answer: one attempt of the store's, behind one of another question."""
CONNECTIONS = 4
"""Threads for a store that is a server."""


def store_of_site(control: "Control", home: str, loop: "AbstractEventLoop") -> "WarmStore":
    """The store that the settings name.  The library of a server is imported now, where it is there: that takes its time.

    Raises:
        ControlError: a setting makes no sense.
    """
    values = Settings(SETTINGS, control)
    url, limit = values.text("store") or b"", values.number("storemax")
    threads = 1
    if url.partition(b":")[0] in (b"redis", b"rediss", b"unix"):
        threads = CONNECTIONS
        try:
            import redis  # noqa: F401,PLC0415
        except ImportError:
            pass
    return WarmStore(loop, lambda: open_store(url, home, limit), threads)


class WarmStore:
    """See Store.  The threads are started with the first question, and end at close()."""

    __slots__ = ("_asked", "_loop", "_make", "_questions", "_started", "_threads")

    def __init__(self, loop: "AbstractEventLoop", make: "Callable[[], Opened]", threads: int = 1) -> None:
        """make  gives the store that one thread asks; it is closed there, too"""
        self._loop = loop
        self._make = make
        self._threads = threads
        self._started = False
        self._asked = 0
        self._questions: SimpleQueue[tuple[Ask, Future[object]] | None] = SimpleQueue()

    async def get(self, key: bytes) -> bytes | None:
        """See Store."""
        return await self._answer(lambda store: store.get(key))

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        """See Store."""
        await self._answer(lambda store: store.put(key, value, lifetime))

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        """See Store."""
        return await self._answer(lambda store: store.count(key, amount, halflife))

    async def claim(self, key: bytes, lifetime: float) -> bool:
        """See Store."""
        return await self._answer(lambda store: store.claim(key, lifetime))

    def close(self) -> None:
        """What was asked is still done; then the threads end."""
        if self._started:
            for _ in range(self._threads):
                self._questions.put(None)

    async def _answer(self, ask: "Callable[[Opened], Coroutine[None, None, T]]") -> "T":
        if self._asked >= ASKED_MAX:
            raise LookupFailedError("store: too many questions at once")
        if not self._started:
            self._started = True
            for _ in range(self._threads):
                Thread(target=self._serve, name="store", daemon=True).start()
        self._asked += 1
        future: Future[object] = self._loop.create_future()
        self._questions.put((ask, future))
        if not await within(future, PATIENCE):
            raise LookupFailedError("store: no answer in time")
        result: T | LookupFailedError = future.result()  # type: ignore[assignment]
        if isinstance(result, LookupFailedError):
            raise LookupFailedError(str(result))
        return result

    def _serve(self) -> None:
        """What a thread does."""
        store = self._make()
        while (question := self._questions.get()) is not None:
            ask, future = question
            try:
                result: object = complete(ask(store))
            except LookupFailedError as error:
                result = LookupFailedError(str(error))  # whose traceback has not the frame that we keep it in
            except Exception as error:  # the thread has to live on: others wait for it
                result = LookupFailedError(f"store: {type(error).__name__}: {error}")
            try:
                self._loop.call_soon_threadsafe(self._deliver, future, result)
            except RuntimeError:  # the loop has been closed: nobody waits
                break
        store.close()

    def _deliver(self, future: "Future[object]", result: object) -> None:
        self._asked -= 1
        future.set_result(result)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    from ..qmail.control import Control
    from .store import Opened

    T = TypeVar("T")
    Ask = Callable[[Opened], Coroutine[Any, Any, object]]
