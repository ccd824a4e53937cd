"""An event loop in a thread, so that tests written for look-ups that block can ask those of the listener the same."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class Driven:
    """A coroutine that is stepped by hand, as the listener does it: there is no task, and only futures may be awaited."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], result: "Future[T]") -> None:
        self._coroutine = coroutine
        self._result: Future[Any] = result

    def step(self, _: object = None) -> None:
        """Go on until it waits again, or ends."""
        try:
            waits_for = self._coroutine.send(None)
        except StopIteration as stop:
            self._result.set_result(stop.value)
        except BaseException as error:  # to be raised where the result is wanted
            self._result.set_exception(error)
        else:
            assert asyncio.isfuture(waits_for), waits_for
            waits_for._asyncio_future_blocking = False
            waits_for.add_done_callback(self.step)


class OnLoop:
    """The loop, from outside."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def complete(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What a coroutine on the loop returns, or raises."""
        result: Future[T] = Future()
        self.loop.call_soon_threadsafe(Driven(coroutine, result).step)
        return result.result(100)

    def call(self, function: Callable[[], T]) -> T:
        """What a function returns that is called on the loop."""
        async def called() -> T:
            return function()
        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(100)

    async def pause(self, seconds: float) -> None:
        """To be awaited on the loop: nothing, for a while."""
        future = self.loop.create_future()
        self.loop.call_later(seconds, future.set_result, None)
        await future

    def close(self) -> None:
        """End it, with all tasks."""
        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(100)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(100)
        self.loop.close()


@contextmanager
def on_loop() -> Iterator[OnLoop]:
    """A loop for the time of a with statement."""
    running = OnLoop()
    try:
        yield running
    finally:
        running.close()


class Blocking:
    """Something of the loop's whose coroutines block, and never suspend: complete() of the drivers runs them."""

    def __init__(self, running: OnLoop, inner: Any) -> None:
        self._running = running
        self._inner = inner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return lambda *words: self._running.call(lambda: found(*words))

        async def asked(*words: Any) -> Any:
            return self._running.complete(found(*words))
        return asked


def together(coroutines: Sequence[Coroutine[Any, Any, T]], running: OnLoop) -> list[T | BaseException]:
    """What they return or raise, side by side."""
    results: list[Future[T]] = [Future() for _ in coroutines]

    def begin() -> None:
        for coroutine, result in zip(coroutines, results, strict=True):
            Driven(coroutine, result).step()
    running.loop.call_soon_threadsafe(begin)
    return [result.exception(100) or result.result() for result in results]
