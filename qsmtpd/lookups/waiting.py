"""Waiting on an event loop for what many sessions share.

A session of the listener is no task: its coroutine is driven by hand, awaits futures only, and may be dropped while it waits.
So nothing here asks for the current task, cancels what it waits for, or leaves something behind when the wait is dropped.
"""

from collections import deque

from ..checks.base import LookupFailedError


async def within(future: "Future[T]", seconds: float) -> bool:
    """Wait at most so long for a future, which is left alone; whether it is done."""
    if future.done():
        return True
    loop = future.get_loop()
    waiter = loop.create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    timer = loop.call_later(seconds, wake)
    future.add_done_callback(wake)
    try:
        await waiter
    finally:
        timer.cancel()
        future.remove_done_callback(wake)
    return future.done()


async def ready(loop: "AbstractEventLoop", fd: int, writes: bool, deadline: float) -> bool:
    """Wait until a descriptor can be read, or written; False when the deadline, a time of the loop, has come before."""
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    watch, unwatch = (loop.add_writer, loop.remove_writer) if writes else (loop.add_reader, loop.remove_reader)
    watch(fd, wake)
    try:
        return await within(waiter, deadline - loop.time())
    finally:
        unwatch(fd)


class Slots:
    """So many at once; so many more wait, in the order in which they came.

    refusal  what those are told who are too many, or have waited too long
    """

    __slots__ = ("_free", "_loop", "_most", "_refusal", "_waiting")

    def __init__(self, loop: "AbstractEventLoop", at_once: int, waiting: int, refusal: str) -> None:
        self._loop = loop
        self._free = at_once
        self._most = waiting
        self._refusal = refusal
        self._waiting: deque[Future[None]] = deque()

    async def take(self, seconds: float) -> None:
        """Get a slot, to be given back.

        Raises:
            LookupFailedError: there is none within this time, or too many wait already.
        """
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._most:
            raise LookupFailedError(self._refusal)
        turn: Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        given = False
        try:
            given = await within(turn, seconds)
        finally:
            if not given:
                self._leave(turn)
        if not given:
            raise LookupFailedError(self._refusal)

    def give(self) -> None:
        """Give a slot back."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1

    def _leave(self, turn: "Future[None]") -> None:
        if turn.done():
            self.give()
        else:
            self._waiting.remove(turn)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from typing import TypeVar

    T = TypeVar("T")
