"""Callouts for a process of many sessions: the rules are those of callouts.py, and nobody waits in their way.

A callout is a task of its own.  Its session waits callouttimeout seconds for it, and so does every other that asks the same;
then it goes on by itself, for AFTERWARDS more, and what it hears is in the store when the client comes again.
"""

from ..checks.base import LookupFailedError
from .callouts import AFTERWARDS, SessionCallouts
from .waiting import ready, within
from .warmspf import evaluate

AT_ONCE = 64
"""Callouts under way."""


class UnderWay:
    """All callouts of a process that are under way, by their keys in the store."""

    __slots__ = ("_tasks", "loop")

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self.loop = loop
        self._tasks: dict[bytes, Task[Verdict]] = {}

    @property
    def count(self) -> int:
        return len(self._tasks)

    def has(self, key: bytes) -> bool:
        return key in self._tasks

    def join(self, key: bytes, work: "Callable[[], Coroutine[Any, Any, Verdict]]") -> "Task[Verdict]":
        """The callout of a key, which is begun when it is not under way.

        Raises:
            LookupFailedError: there are too many.
        """
        task = self._tasks.get(key)
        if task is None:
            if len(self._tasks) >= AT_ONCE:
                raise LookupFailedError("callout: too many under way")
            task = self._tasks[key] = self.loop.create_task(work())
            task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return task

    def close(self) -> None:
        """Leave all servers alone."""
        for task in self._tasks.values():
            task.cancel()


class WarmCallouts(SessionCallouts):
    """See Callouts."""

    __slots__ = ("_mine", "_under_way")

    def __init__(self, settings: "CalloutSettings", dns: "Dns", store: "Callable[[], Store]", under_way: UnderWay) -> None:
        super().__init__(settings, dns, store)
        self._under_way = under_way
        self._mine = b""

    async def spf(self, ip: bytes, sender: bytes, helo: bytes) -> tuple[str, bytes]:
        """See Callouts."""
        return await evaluate(ip, sender, helo, self._settings.name, self._dns)

    async def _answer(self, kind: "Kind", key: bytes, address: bytes, places: "Places") -> bool:
        if self._mine != key and self._under_way.has(self._mine):
            raise LookupFailedError("callout: another one of this session is under way")
        self._mine = key
        task = self._under_way.join(key, lambda: self._find_out(kind, key, address, places))
        if not await within(task, self._settings.values.number("callouttimeout")):
            raise LookupFailedError("callout: no answer yet")
        verdict = task.result()
        if isinstance(verdict, LookupFailedError):
            raise LookupFailedError(str(verdict))
        return verdict

    async def _find_out(self, kind: "Kind", key: bytes, address: bytes, places: "Places") -> "Verdict":
        """What the task does; what went wrong is told to all who wait."""
        loop = self._under_way.loop
        deadline = loop.time() + self._settings.values.number("callouttimeout") + AFTERWARDS
        try:
            callout = await self._admit(kind, key, address, places)
            try:
                over = await _over(callout.inquiry, loop, deadline)
            finally:
                callout.inquiry.close()
            if over:
                return await self._conclude(callout)
            await self._give_up(callout)
            return LookupFailedError("callout: no answer yet")
        except LookupFailedError as error:
            return error


async def _over(inquiry: "Inquiry", loop: "AbstractEventLoop", deadline: float) -> bool:
    """Lead an inquiry to its end; False when the deadline has come before."""
    while (talk := inquiry.talk()) is not None:
        if not await ready(loop, talk.fileno(), talk.writes, deadline):
            return False
        talk.turn()
    return True


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ..checks.base import Dns, Store
    from .callouts import CalloutSettings, Kind, Places
    from .smtpclient import Inquiry

    Verdict = bool | LookupFailedError
