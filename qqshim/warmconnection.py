"""A connection to a scanner in a process that has an event loop: who waits for the scanner holds up nobody else."""

import asyncio
import os
import select

from .connection import Connection
from .onloop import in_a_thread, tell
from .spool import MEMORY


class WarmConnection(Connection):
    """See Connection."""

    __slots__ = ("_loop",)

    def __init__(self, where: "Address", seconds: float) -> None:
        super().__init__(where, seconds)
        self._loop = asyncio.get_running_loop()

    async def _send_file(self, fd: int, offset: int, count: int) -> int:
        """A file beyond that size is on a disk."""
        if offset + count <= MEMORY:
            return await super()._send_file(fd, offset, count)
        return await in_a_thread(self._taken, os.sendfile, self._socket.fileno(), fd, offset, count)

    async def _wait(self, events: int) -> int:
        self._poll.modify(self._socket.fileno(), events)
        while not (ready := self._poll.poll(0)):
            await self._something(events)
        return ready[0][1]

    async def _something(self, events: int) -> None:
        """Wait until one of the events may have come.

        Raises:
            ScannerError: it has not in time.
        """
        fd, came = self._socket.fileno(), self._loop.create_future()
        timer = self._loop.call_later(self._left(), tell, came)
        if events & select.POLLIN:
            self._loop.add_reader(fd, tell, came)
        if events & select.POLLOUT:
            self._loop.add_writer(fd, tell, came)
        try:
            await came
        finally:
            timer.cancel()
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
        self._left()

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connection import Address
