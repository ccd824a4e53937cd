"""What everybody who waits on an event loop wants: a descriptor that can be read, a thread that has done its work."""

import asyncio


async def readable(fd: int) -> None:
    """Wait until there is something to be read, or the end."""
    loop = asyncio.get_running_loop()
    came = loop.create_future()
    loop.add_reader(fd, tell, came)
    try:
        await came
    finally:
        loop.remove_reader(fd)


async def in_a_thread(function: "Callable[..., T]", *arguments: object) -> "T":
    """What the function returns or raises.

    Who is cancelled meanwhile goes on only when the thread has ended: it may use a descriptor that would be closed under it.
    """
    work = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()
        raise cancelled
    return work.result()


def tell(future: "asyncio.Future[None]") -> None:
    """Wake who waits for it; once is enough."""
    if not future.done():
        future.set_result(None)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")
