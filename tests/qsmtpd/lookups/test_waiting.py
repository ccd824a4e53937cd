"""Waiting without tasks: times, turns, and waits that are dropped."""

import asyncio
import socket
from collections.abc import Coroutine, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.waiting import Slots, ready, within


def begin(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Let a coroutine run until it waits, as the listener does; what it waits for never calls it."""
    coroutine.send(None)


def test_a_future_in_time() -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        future.get_loop().call_later(0.05, future.set_result, 7)
        assert await within(future, 5)
        assert await within(future, 0)
        assert future.result() == 7

    asyncio.run(main())


def test_a_future_that_is_late_goes_on() -> None:
    """Others may wait for it: it is neither cancelled, nor does it keep anything of the wait."""
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        assert not await within(future, 0.05)
        assert not future.done()
        assert not future._callbacks
        future.set_result(None)

    asyncio.run(main())


def test_a_wait_that_is_dropped_leaves_nothing() -> None:
    """The client has gone, and its coroutine is closed where it waits."""
    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        near, far = socket.socketpair()
        for waiting in (within(future, 60), ready(loop, near.fileno(), False, loop.time() + 60)):
            begin(waiting)
            waiting.close()
        assert not future._callbacks
        assert not loop.remove_reader(near.fileno())
        near.close()
        far.close()

    asyncio.run(main())


def test_a_descriptor_is_ready() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        assert await ready(loop, near.fileno(), True, loop.time() + 5)
        assert not await ready(loop, near.fileno(), False, loop.time() + 0.05)
        far.send(b"x")
        assert await ready(loop, near.fileno(), False, loop.time() + 5)
        near.close()
        far.close()

    asyncio.run(main())


def test_turns_come_in_their_order() -> None:
    async def main() -> None:
        slots = Slots(asyncio.get_running_loop(), 2, 3, "too many")
        order: list[int] = []

        async def one(number: int) -> None:
            await slots.take(5)
            order.append(number)
            await asyncio.sleep(0.01)
            slots.give()

        tasks = [asyncio.create_task(one(number)) for number in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(LookupFailedError, match="too many"):
            await slots.take(5)
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2, 3, 4]

    asyncio.run(main())


def test_who_has_waited_long_enough_is_told_so() -> None:
    async def main() -> None:
        slots = Slots(asyncio.get_running_loop(), 1, 5, "too many")
        await slots.take(1)
        with pytest.raises(LookupFailedError, match="too many"):
            await slots.take(0.05)
        slots.give()
        await slots.take(0)

    asyncio.run(main())


class Turn:
    """Awaited, it gives the turn back to the loop once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@given(st.lists(st.sampled_from(["take", "give", "drop", "turn"]), max_size=40))
def test_no_slot_is_lost_or_made(steps: list[str]) -> None:
    """Whatever is dropped while it waits, also between its turn and its knowing of it: in the end all slots are free."""
    async def main() -> None:
        slots = Slots(asyncio.get_running_loop(), 2, 100, "too many")
        held, waiting = 0, []
        for step in steps:
            if step == "take":
                taking = slots.take(60)
                try:
                    begin(taking)
                    waiting.append(taking)
                except StopIteration:
                    held += 1
            elif step == "give" and held:
                held -= 1
                slots.give()
            elif step == "drop" and waiting:
                waiting.pop(0).close()
            else:
                await Turn()
            assert held <= 2
        for taking in waiting:
            taking.close()
        for _ in range(held):
            slots.give()
        for _ in range(2):
            await slots.take(0)
        with pytest.raises(LookupFailedError):
            await slots.take(0)

    asyncio.run(main())
