"""Waiting on a loop."""

import asyncio
import os
import threading
import time

import pytest

from qqshim.onloop import in_a_thread, readable, tell


def test_a_descriptor_is_waited_for_while_others_go_on() -> None:
    read, write = os.pipe()

    async def both() -> bytes:
        waiting = asyncio.ensure_future(readable(read))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        os.write(write, b"x")
        await waiting
        return os.read(read, 10)
    assert asyncio.run(both()) == b"x"
    os.close(read)
    os.close(write)


def test_a_thread_gives_back_what_it_has() -> None:
    async def both() -> int:
        with pytest.raises(ZeroDivisionError):
            await in_a_thread(lambda: 1 // 0)
        return await in_a_thread(max, 1, 2)
    assert asyncio.run(both()) == 2


def test_who_is_cancelled_waits_for_the_thread() -> None:
    """It may be using what would be closed under it; nor is what it raises then lost on the log."""
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        time.sleep(0.2)
        done.set()
        raise ValueError

    async def cancelled() -> bool:
        task = asyncio.ensure_future(in_a_thread(work))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        return done.is_set()
    assert asyncio.run(cancelled())


def test_once_is_enough() -> None:
    async def twice() -> bool:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tell(future)
        tell(future)
        await future
        return future.done() and future.exception() is None
    assert asyncio.run(twice())
