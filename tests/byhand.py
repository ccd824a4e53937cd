"""Coroutines that are stepped by hand, as the listener steps its conversations: without a task of asyncio's."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stepped:
    """One coroutine; what it awaits are futures, whose end goes on with it.

    end  a future of its result
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.end: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._coroutine = coroutine
        self._generation = 0
        self._step(0)

    def throw(self, error: Exception) -> None:
        """Something happens to it while it waits."""
        self._generation += 1
        self._advance(lambda: self._coroutine.throw(error))

    def _step(self, generation: int) -> None:
        if generation == self._generation and not self.end.done():
            self._advance(lambda: self._coroutine.send(None))

    def _advance(self, how: Callable[[], Any]) -> None:
        try:
            awaited = how()
        except StopIteration as stop:
            self.end.set_result(stop.value)
        except BaseException as error:
            self.end.set_exception(error)
        else:
            generation = self._generation
            if awaited is None:  # a turn of the loop
                asyncio.get_running_loop().call_soon(self._step, generation)
                return
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(lambda _: self._step(generation))


def by_hand(start: Callable[[], Coroutine[Any, Any, T]], seconds: float = 60) -> T:
    """The result of a coroutine that is stepped by hand on a loop of its own; nothing may complain on the way."""
    async def run() -> T:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        result: T = await asyncio.wait_for(Stepped(start()).end, seconds)
        await asyncio.sleep(0)
        assert not complaints
        return result

    return asyncio.run(run())


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """The results of several that are stepped by hand at once."""
    ends = [Stepped(coroutine).end for coroutine in coroutines]
    return [await end for end in ends]
