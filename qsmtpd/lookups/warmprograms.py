"""Programs of the site, run from an event loop: as program.py runs them, AT_ONCE at most."""

import posix
from _signal import SIGKILL

from ..qmail.logline import quote
from .program import SECONDS, exit_code, not_executed, start
from .waiting import Slots, within

AT_ONCE = 32
WAITING_MAX = 1000


class Programs:
    """All that run, and those that wait for it."""

    __slots__ = ("_loop", "_slots")

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self._loop = loop
        self._slots = Slots(loop, AT_ONCE, WAITING_MAX, "too many programs at once")

    async def run(
            self, program: bytes, variables: dict[bytes, bytes], arguments: tuple[bytes, ...] = (), words: bytes | None = None,
            seconds: float = SECONDS,
    ) -> int:
        """See program.run().

        variables  all that the program gets

        Raises:
            LookupFailedError: see there; or too many run already.
        """
        name = quote(program)
        await self._slots.take(seconds)
        try:
            pid = start(program, variables, arguments, words)
        except (OSError, ValueError) as error:
            self._slots.give()
            raise not_executed(name, error) from error
        process = Process(self._loop, pid, self._slots.give)
        try:
            await within(process.status, seconds)
        finally:
            late = process.kill()
        if late:
            raise not_executed(name, ValueError(f"no end after {seconds:.0f} s"))
        return exit_code(name, process.status.result())


class Process:
    """A process that somebody waits for.

    status  what waitpid says, once it has ended
    """

    __slots__ = ("_ended", "_fd", "_loop", "_pid", "status")

    def __init__(self, loop: "AbstractEventLoop", pid: int, ended: "Callable[[], None]") -> None:
        """ended  is called when it has ended, whoever still waits"""
        self.status: Future[int] = loop.create_future()
        self._loop = loop
        self._pid = pid
        self._ended = ended
        try:
            self._fd = posix.pidfd_open(pid)
        except OSError:  # it cannot be watched
            posix.kill(-pid, SIGKILL)
            self._reap()
            return
        loop.add_reader(self._fd, self._end)

    def kill(self) -> bool:
        """Kill it and what it has started, unless it has ended; True when it had not."""
        if self.status.done():
            return False
        posix.kill(-self._pid, SIGKILL)
        return True

    def _end(self) -> None:
        self._loop.remove_reader(self._fd)
        posix.close(self._fd)
        self._reap()

    def _reap(self) -> None:
        _, status = posix.waitpid(self._pid, 0)
        self._ended()
        self.status.set_result(status)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable
