"""Waiting for a future up to a deadline, in a coroutine that need not be a task of asyncio's."""

import asyncio


async def within(seconds: float, awaited: "asyncio.Future[T]") -> "T":
    """The result of the future, which goes on for itself when we stop waiting: nothing that happens to us cancels it.

    Raises:
        TimeoutError: there is none after so many seconds.
        Exception: the future's own.
    """
    if not awaited.done():
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = loop.call_later(seconds, _late, waiter)
        done = _Done(waiter)
        awaited.add_done_callback(done)
        try:
            await waiter
        finally:
            timer.cancel()
            awaited.remove_done_callback(done)
    return awaited.result()


class _Done:
    __slots__ = ("_waiter",)

    def __init__(self, waiter: "asyncio.Future[None]") -> None:
        self._waiter = waiter

    def __call__(self, _: "asyncio.Future[T]") -> None:
        if not self._waiter.done():
            self._waiter.set_result(None)


def _late(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")
