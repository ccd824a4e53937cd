"""A service for handoff-qqshim, and for nothing else: "python -m tests.qqshim.serving SOCKET", until SIGTERM.

It has the event loop of a worker of qsmtpd-listen, and looks at the control files for each message, for tests change them.
"""

import asyncio
import signal
import sys

import uvloop

from qqshim.service import Service
from qsmtpd.drivers.handed import MESSAGE, Handed, listening
from qsmtpd.drivers.logpipe import LogPipe
from qsmtpd.qmail import env
from qsmtpd.qmail.control import Control


async def serve(path: str) -> None:
    """Until SIGTERM."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    log = LogPipe(loop)

    def note(event: str, pairs: "Pairs") -> None:
        log.write_all([(event, pairs)])

    handed = Handed(listening(path), {MESSAGE: Service(Control(env.control_directory()), note, patience=0.0)}, note)
    handed.start()
    await over.wait()
    handed.close()
    log.flush()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.logline import Pairs

if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
