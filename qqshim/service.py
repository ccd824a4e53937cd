"""qqshim for many messages at once, in a service that handoff-qqshim brings them to: the same passage, and nobody who waits
holds up another.  The queue program that comes next is started, twenty at once.
"""

import asyncio
import os
import select
import stat

from qsmtpd.qmail.control import Control
from qsmtpd.qmail.exitcodes import READ_ERROR, REFUSED_NOW, TIMEOUT

from . import channel, handon
from .faults import ShimError
from .nextprogram import NextProgram
from .onloop import in_a_thread, readable
from .origin import origin
from .passage import Passage, Setup
from .receive import AT_ONCE, ENVELOPE, MESSAGE
from .setups import LOOK_AGAIN, Setups
from .warmconnection import WarmConnection

LIFETIME = 86400.0
"""Seconds until a message is given up: qmail-queue's DEATH."""
PROGRAMS = 20
"""Queue programs at once.  Those of sessions are counted elsewhere: they may bring us a message, and wait for ours."""
PATIENCE = 60.0
"""Seconds for a message to wait until one may be started for it."""


class Service:
    """Of one process; calling it takes a message, see Handler in qsmtpd/drivers/handed.py."""

    def __init__(self, control: Control, note: "Note", patience: float = LOOK_AGAIN) -> None:
        """note      is given events for the log, and their pairs
        patience  seconds between two looks whether a control file has changed
        """
        self.directory = control.directory
        self.note = note
        self.setups = Setups(control.directory, patience)
        self.room = asyncio.Semaphore(PROGRAMS)

    async def __call__(self, environment: dict[bytes, bytes], descriptors: dict[int, int], pid: int) -> int:
        """What the caller is to see as the exit code; negative: as the signal that killed the next program.

        environment  of the caller
        descriptors  ours by his numbers; they are closed at the end
        pid          of the process that he has started
        """
        try:
            passage = Warm(self, environment, descriptors, pid)
            try:
                async with asyncio.timeout(LIFETIME):
                    return await passage.run()
            except TimeoutError:
                return passage.failed(ShimError(TIMEOUT, "not done within a day"))
            except Exception as error:  # whatever it is, the caller gets a temporary code
                return passage.failed(error)
            finally:
                passage.close()
        finally:
            for fd in descriptors.values():
                os.close(fd)


class Warm(Passage):
    """The passage of one of many messages."""

    def __init__(self, service: Service, environment: dict[bytes, bytes], descriptors: dict[int, int], pid: int) -> None:
        def variable(name: str) -> bytes | None:
            return environment.get(name.encode())

        super().__init__(Control(service.directory, variable), channel.detect(variable, descriptors), pid)
        self._service = service
        self._environment = environment
        self._descriptors = descriptors
        self._next: dict[int, int] = {}
        self._files = [number for number in (MESSAGE, ENVELOPE) if stat.S_ISREG(os.fstat(descriptors[number]).st_mode)]
        for number in (MESSAGE, ENVELOPE):
            os.set_blocking(descriptors[number], False)

    def close(self) -> None:
        """Let go what was made ready for the next program, which has it by now, or never will."""
        while self._next:
            os.close(self._next.popitem()[1])

    def recognize(self) -> "Origin":
        """See Passage."""
        self._service.setups.look()
        return origin(self.control.variable, self._service.setups.trust(self.control))

    def is_loop(self) -> bool:
        """The caller's process has our mark as ours or its own: a service's next program, or what was qqshim before."""
        mark = self.control.variable(handon.MARK)
        return mark is not None and mark in (b"%d" % self.pid, _parent(self.pid))

    def setup(self) -> Setup:
        """See Passage."""
        return self._service.setups.setup(self.control)

    def site(self) -> "Site | None":
        """See Passage."""
        return self._service.setups.site(self.control, carried_out=self.origin.session)

    async def read(self, number: int) -> bytes:
        """A file is on a disk, which may stand still; all else says when there is something."""
        fd = self._descriptors[number]
        try:
            if number in self._files:
                return await in_a_thread(os.read, fd, AT_ONCE)
            while True:
                try:
                    data = os.read(fd, AT_ONCE)
                except BlockingIOError:
                    await readable(fd)
                    continue
                if len(data) == AT_ONCE:
                    await asyncio.sleep(0)  # who has more than that at hand would keep others waiting
                return data
        except OSError as error:
            raise ShimError(READ_ERROR, f"read from descriptor {number}: {error.strerror}") from error

    async def work(self, long: bool, function: "Callable[..., T]", *arguments: object) -> "T":
        """See Passage."""
        return await in_a_thread(function, *arguments) if long else function(*arguments)

    async def pause(self) -> None:
        """See Passage."""
        await asyncio.sleep(0)

    def connection(self, where: "Address", seconds: float) -> WarmConnection:
        """See Passage."""
        return WarmConnection(where, seconds)

    def channel(self) -> "channel.Channel | None":
        """A pipe that poll(2) calls writable takes our few words at once and whole (pipe(7)); another one is none."""
        found = super().channel()
        if found is None:
            return None
        writable = select.poll()
        writable.register(found.fd, select.POLLOUT)
        return found if writable.poll(0) else None

    def prepare(self, message: "Spool", envelope: "Spool") -> None:
        """See Passage."""
        for number, spool in ((MESSAGE, message), (ENVELOPE, envelope)):
            self._next[number] = spool.readable()

    async def hand_on(self, program: str, begun: "Callable[[int | None], None]") -> int:
        """See Passage."""
        room = self._service.room
        try:
            async with asyncio.timeout(PATIENCE):
                await room.acquire()
        except TimeoutError:
            raise ShimError(REFUSED_NOW, "too many messages at the moment") from None
        try:
            started = NextProgram(program, {**self._descriptors, **self._next}, handon.surroundings(self._environment))
            begun(started.pid)
            self.close()
            return await started.ended()
        finally:
            room.release()

    def note(self, event: str, pairs: "Facts") -> None:
        """See Passage."""
        self._service.note(event, (("qp", self.pid), *pairs))


def _parent(pid: int) -> bytes:
    """The parent of a process, as a number; b"" when nobody can say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[1]
    except (OSError, IndexError):
        return b""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from qsmtpd.qmail.logline import Pairs

    from .connection import Address
    from .origin import Origin
    from .passage import Facts
    from .site import Site
    from .spool import Spool

    T = TypeVar("T")
    Note = Callable[[str, Pairs], None]
