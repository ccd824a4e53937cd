"""The next queue program, started by a service that has other messages meanwhile, with what it would have got from us as the
same process: message on descriptor 0, envelope on 1, the caller's error channel and log where he has them.
"""

import asyncio
import os
from fcntl import F_DUPFD_CLOEXEC, fcntl
from signal import SIGKILL, pidfd_send_signal

from qsmtpd.qmail.exitcodes import CONFIGURATION
from qsmtpd.qmail.process import spawn

from .faults import ShimError
from .onloop import readable

ABOVE = 128
"""The numbers of callers are below."""


class NextProgram:
    """One that runs.

    pid  its process id
    """

    __slots__ = ("_process", "pid")

    def __init__(self, program: str, descriptors: "Mapping[int, int]", environment: dict[bytes, bytes]) -> None:
        """Start it.

        descriptors  by the number that each is to have; it gets copies

        Raises:
            ShimError: 55: it cannot be executed.
            OSError: there is no room for another descriptor.
        """
        high: dict[int, int] = {}  # out of the way first, or one number could be taken from under another
        try:
            for theirs, ours in descriptors.items():
                high[theirs] = fcntl(ours, F_DUPFD_CLOEXEC, ABOVE)
            self.pid = _spawned(program, high, environment)
        finally:
            for fd in high.values():
                os.close(fd)
        try:
            self._process = os.pidfd_open(self.pid)
        except OSError:
            os.kill(self.pid, SIGKILL)
            os.waitpid(self.pid, 0)
            raise

    async def ended(self) -> int:
        """Wait for its end; returns its exit code, or the signal that killed it as a negative number.

        Who is cancelled meanwhile has had it killed: his caller is gone, as if the program itself had been killed.
        """
        try:
            await readable(self._process)
        except BaseException:
            pidfd_send_signal(self._process, SIGKILL)
            asyncio.get_running_loop().add_reader(self._process, self._bury)
            raise
        return self._bury()

    def _bury(self) -> int:
        asyncio.get_running_loop().remove_reader(self._process)
        os.close(self._process)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _spawned(program: str, descriptors: dict[int, int], environment: dict[bytes, bytes]) -> int:
    try:
        return spawn(program, descriptors, environment)
    except OSError as error:
        raise ShimError(CONFIGURATION, f"{program}: {error.strerror}") from error


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
