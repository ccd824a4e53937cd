"""A coroutine that never waits."""

import asyncio

import pytest

from qsmtpd.rules.atonce import complete


async def doubled(number: int) -> int:
    return 2 * number


async def nested() -> int:
    return await doubled(2) + await doubled(3)


async def failing() -> int:
    raise ValueError("no")


def test_its_result() -> None:
    assert complete(nested()) == 10


def test_its_error() -> None:
    with pytest.raises(ValueError, match="no"):
        complete(failing())


def test_to_wait_is_a_mistake() -> None:
    waiting = asyncio.sleep(0)

    with pytest.raises(AssertionError, match="suspended"):
        complete(waiting)
    waiting.close()
