"""holdq-queue: a QMAILQUEUE program that holds (holdq-queue(8)).

Started per message: it imports next to nothing, and ends by os._exit, never by the interpreter's shutdown, which exits 120
("unable to exec qq") when a stream cannot be flushed.
"""

import os
import time
from _signal import SIGALRM, alarm, signal

from qsmtpd.qmail import env, logline, process
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.envelope import EnvelopeError
from qsmtpd.qmail.exitcodes import (
    CONFIGURATION,
    INTERNAL_BUG,
    OUT_OF_MEMORY,
    QUEUED,
    READ_ERROR,
    TIMEOUT,
    WRITE_ERROR,
)
from qsmtpd.qmail.settings import Settings

from . import config, layout
from .incoming import Arrival, NotHeldError

LIFETIME = 86400
"""Seconds after which we end with 52, as qmail-queue does (DEATH)."""
PIECE = 65536


def main() -> None:
    """Run, and end the process."""
    process.prepare()
    os.umask(0o007)  # what we make is for the runner's group from the first moment
    signal(SIGALRM, lambda *_: os._exit(TIMEOUT))  # as qmail-queue: no clean-up here; the runner sweeps
    alarm(LIFETIME)
    code = INTERNAL_BUG
    try:
        code = hold(os.getuid(), os.getpid(), time.time())
    except NotHeldError as failure:
        code = failure.exit_code
        log("fault", (("hold", os.getpid()), ("code", code), ("why", str(failure).encode("utf-8", "replace"))))
    except MemoryError:
        code = OUT_OF_MEMORY
    except Exception as error:
        log("fault", (("hold", os.getpid()), ("code", code), ("why", repr(error).encode("utf-8", "replace"))))
    finally:
        os._exit(code)


def hold(uid: int, pid: int, now: float) -> int:
    """Take the message from descriptor 0 and the envelope from 1, hold them; returns 0.

    Raises:
        NotHeldError: nothing is stored.
    """
    try:
        settings = Settings(config.QUEUE_SETTINGS, Control(env.control_directory()))
        network = config.network_uid(settings)
    except ControlError as error:
        raise NotHeldError(CONFIGURATION, str(error)) from error
    spool = layout.Spool(config.spool_directory(settings))
    running = env.get(config.RUNNING)
    if running and os.path.realpath(os.fsdecode(running)) == os.path.realpath(spool.directory):
        raise NotHeldError(CONFIGURATION, "started by the runner of this very spool: all mail would go round for ever")
    try:
        arrival = Arrival(spool, uid, pid, network, now)
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        from .knock import Door  # noqa: PLC0415  # only who comes this way pays for it

        return _through(Door(spool))  # and the runner logs it
    except OSError as error:
        raise NotHeldError(WRITE_ERROR, f"{spool.incoming}: {error.strerror}") from error
    _through(arrival)
    reader = arrival.reader
    log("hold", (("id", arrival.identity.encode()), ("hold", pid), ("uid", uid), ("from", reader.sender), ("to", reader.first),
                 ("rcpts", reader.count), ("size", arrival.size), ("ms", int((time.time() - now) * 1000)),
                 ("cpu-ms", int(time.process_time() * 1000))))
    return QUEUED


def _through(sink: "Sink") -> int:
    """Carry everything from our descriptors to where it is kept.

    Raises:
        NotHeldError: it did not come to that.
    """
    try:
        while piece := _read(0):
            sink.message(piece)
        while (piece := _read(1)) and not sink.envelope(piece):
            pass
        sink.accept()
    except BaseException as error:
        sink.discard()
        if isinstance(error, EnvelopeError):
            raise NotHeldError(error.exit_code, str(error)) from error
        if isinstance(error, OSError):
            raise NotHeldError(WRITE_ERROR, error.strerror or str(error)) from error
        raise
    return QUEUED


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, PIECE)
    except OSError as error:
        raise NotHeldError(READ_ERROR, f"descriptor {fd}: {error.strerror}") from error


def log(event: str, pairs: "Pairs") -> None:
    """One line on descriptor 2, unless that is where the caller reads the text of its reply (indimail: ERROR_FD=2)."""
    if env.get("ERROR_FD") != b"2":
        logline.write(event, pairs)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from qsmtpd.qmail.logline import Pairs

    class Sink(Protocol):
        """Where a message goes: an Arrival or the Door."""

        def message(self, data: bytes) -> None: ...
        def envelope(self, data: bytes) -> bool: ...
        def accept(self) -> None: ...
        def discard(self) -> None: ...
