"""A deadline ends the waiting and nothing else."""

import asyncio

import pytest

from qsmtpd.drivers.deadline import within
from tests.byhand import Stepped, by_hand


def test_a_result_that_is_there() -> None:
    async def check() -> int:
        future = asyncio.get_running_loop().create_future()
        future.set_result(7)
        return await within(0.0, future)

    assert by_hand(check) == 7


def test_a_result_in_time() -> None:
    async def check() -> int:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.02, future.set_result, 7)
        return await within(10.0, future)

    assert by_hand(check) == 7


def test_an_error_is_the_futures_own() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.02, future.set_exception, OSError(5, "Input/output error"))
        await within(10.0, future)

    with pytest.raises(OSError, match="Input/output"):
        by_hand(check)


def test_too_late() -> None:
    """What is waited for goes on, and its end, later, disturbs nobody."""
    async def check() -> int:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with pytest.raises(TimeoutError):
            await within(0.02, future)
        loop.call_later(0.02, future.set_result, 7)
        return await within(10.0, future)

    assert by_hand(check) == 7


@pytest.mark.parametrize("task", [False, True])
def test_who_waits_is_stopped(task: bool) -> None:
    """Neither an error thrown in nor the cancelling of a task cancels what is waited for."""
    async def check() -> int:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if task:
            waiting = loop.create_task(within(10.0, future))
            await asyncio.sleep(0)
            waiting.cancel()
        else:
            stepped = Stepped(within(10.0, future))
            stepped.throw(ConnectionError())
            with pytest.raises(ConnectionError):
                await stepped.end
        await asyncio.sleep(0.01)
        future.set_result(7)
        return await within(10.0, future)

    assert asyncio.run(check()) == 7
