"""qqshim: stands in for qmail-queue, has the message scanned, and refuses it or becomes the next queue program.

The error channel is looked for while no file of ours is open.  The program ends by os._exit or exec: the interpreter's own way
out says 1 or 120 when something fails, which tells callers something else, and may print to what is the caller's channel.
"""

import os
import time
from _signal import SIGALRM, alarm, signal

from qsmtpd.qmail import env, process
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.exitcodes import INTERNAL_BUG, READ_ERROR, TIMEOUT
from qsmtpd.rules.atonce import complete

from . import channel, handon, log
from .faults import ShimError
from .origin import origin, trust
from .passage import Passage, Setup
from .receive import AT_ONCE

LIFETIME = 86400
"""Seconds until the program gives up: qmail-queue's DEATH."""
STDERR = 2


class Lone(Passage):
    """The passage of the only message that this process will have: everything waits by blocking."""

    def __init__(self) -> None:
        found = channel.detect()
        process.prepare()
        super().__init__(Control(env.control_directory()), found, os.getpid())
        self._on_stderr = False

    def recognize(self) -> "Origin":
        """See Passage."""
        found = origin(self.control.variable, trust(self.control))
        self._on_stderr = found.server and env.get("ERROR_FD") != b"%d" % STDERR
        return found

    def is_loop(self) -> bool:
        """This very process was qqshim before."""
        return env.get(handon.MARK) == b"%d" % os.getpid()

    def setup(self) -> Setup:
        """See Passage."""
        return Setup(self.control)

    def site(self) -> "Site | None":
        """See Passage."""
        text = self.control.read("rules")
        if text is None:
            return None
        from .site import Site  # noqa: PLC0415 - only for who has rules

        return Site(self.control, text, carried_out=self.origin.session)

    async def read(self, number: int) -> bytes:
        """See Passage."""
        try:
            return os.read(number, AT_ONCE)
        except OSError as error:
            raise ShimError(READ_ERROR, f"read from descriptor {number}: {error.strerror}") from error

    async def work(self, long: bool, function: "Callable[..., T]", *arguments: object) -> "T":
        """See Passage."""
        return function(*arguments)

    async def pause(self) -> None:
        """See Passage: there are none."""

    def connection(self, where: "Address", seconds: float) -> "Connection":
        """See Passage."""
        from .connection import Connection  # noqa: PLC0415 - only for who has scanners

        return Connection(where, seconds)

    def prepare(self, message: "Spool", envelope: "Spool") -> None:
        """See Passage."""
        message.become(0)
        envelope.become(1)

    async def hand_on(self, program: str, begun: "Callable[[int | None], None]") -> int:
        """See Passage: afterwards nobody is left to say anything."""
        begun(None)
        handon.become(program)
        return INTERNAL_BUG

    def note(self, event: str, pairs: "Facts") -> None:
        """See Passage."""
        log.write(event, (("qp", self.pid), *pairs), on_stderr=self._on_stderr)

    def cpu_ms(self) -> int:
        """See Passage."""
        return int(time.process_time() * 1000)


def main() -> None:
    """Never returns."""
    code = INTERNAL_BUG
    try:
        passage = Lone()
        try:
            signal(SIGALRM, _ring)
            alarm(LIFETIME)
            code = complete(passage.run())
        except BaseException as error:  # whatever it is, the caller gets a temporary code
            code = passage.failed(error)
    finally:
        os._exit(code)


def _ring(_number: int, _frame: object) -> None:
    raise ShimError(TIMEOUT, "not done within a day")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .connection import Address, Connection
    from .origin import Origin
    from .passage import Facts
    from .site import Site
    from .spool import Spool

    T = TypeVar("T")
