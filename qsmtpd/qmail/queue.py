"""Running a QMAILQUEUE program as qmail.c does: message on its descriptor 0, envelope on 1, its own words on 6.

The program is told by QQREPLY=6 that the caller is ours: then it may write reply lines "CODE x.y.z text" there, any code,
several lines, and exit 82.  Without it, or from a program that does not know of it, the text is "Dtext" or "Ztext"
(notqmail 1.09).  QMAILQUEUE is not in the program's environment, or a queue program that starts a mailer would loop.
"""

import os
import select

from . import env, envelope
from .exitcodes import CRASHED, CUSTOM, EXEC_FAILED, NO_EXIT_CODE, QUEUED, meaning
from .process import spawn

CHANNEL = 6
CHANNEL_MAX = 4096
"""Bytes of the program's own words that are kept."""
LIFETIME = 86460.0
"""Seconds to wait for the program: qmail-queue's own alarm (DEATH, 24 hours) and a minute."""


class Outcome:
    """What became of a message.

    code    0 when it is queued; else the SMTP reply code, 4xx unless the program said that it is permanent
    status  the enhanced status code (RFC 3463)
    lines   the text of the reply, a line each, printable ASCII
    """

    __slots__ = ("code", "lines", "status")

    def __init__(self, code: int, status: str, lines: tuple[str, ...]) -> None:
        self.code = code
        self.status = status
        self.lines = lines


class QueueRun:
    """One run of a queue program.

    pid  its process id, which is the "qp" of the log
    """

    __slots__ = ("_channel", "_envelope", "_failed", "_message", "pid")

    def __init__(self, program: str) -> None:
        """Start the program, in our working directory (a caller stands in QMAILHOME).

        Raises:
            OSError: it cannot be executed, or there is no room for another process or pipe.
        """
        opened: list[int] = []
        try:
            for _ in range(3):
                opened += os.pipe()
            message, self._message, envelope_, self._envelope, self._channel, channel = opened
            environment = env.without("QMAILQUEUE")
            environment[b"QQREPLY"] = b"%d" % CHANNEL
            self.pid = spawn(program, {0: message, 1: envelope_, CHANNEL: channel}, environment)
        except BaseException:
            for fd in opened:
                os.close(fd)
            raise
        for fd in (message, envelope_, channel):
            os.close(fd)
        self._failed = False

    def write(self, data: bytes) -> None:
        """Give the program the next piece of the message.  One that no longer reads says why when it ends."""
        if not self._failed:
            self._failed = not _written(self._message, data)

    def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome:
        """Give the envelope, and wait for what the program says and for its end."""
        os.close(self._message)
        try:
            text = envelope.build(sender, recipients)
        except envelope.EnvelopeError as error:
            self._give_up()
            return from_exit_code(error.exit_code, b"")
        written = not self._failed and _written(self._envelope, text)
        os.close(self._envelope)
        return self._end(written)

    def abort(self) -> None:
        """Close the pipes before the final NUL, so that nothing is queued, and wait for the program's end."""
        os.close(self._message)
        self._give_up()

    def _give_up(self) -> None:
        os.close(self._envelope)
        self._end(written=False)

    def _end(self, written: bool) -> Outcome:
        said = _read_until_exit(self._channel, self.pid)
        os.close(self._channel)
        try:
            _, wait_status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return _temporary(*NO_EXIT_CODE)
        if os.WIFSIGNALED(wait_status):
            return _temporary(*CRASHED)
        code = os.WEXITSTATUS(wait_status)
        if code == QUEUED and written:
            return Outcome(0, "2.0.0", ())
        return from_exit_code(code, said)


def failed_to_start() -> Outcome:
    """What qmail.c says of a program that could not be executed."""
    return _temporary(*meaning(EXEC_FAILED))


def from_exit_code(code: int, said: bytes) -> Outcome:
    """What an exit code and the words on the channel come to.  0 here means that the caller's own part failed: 54."""
    if code == CUSTOM:
        outcome = _said(said)
        if outcome is not None:
            return outcome
    status, text = meaning(code or 54)
    return Outcome(554 if status.startswith("5") else 451, status, (text,))


def _temporary(status: str, text: str) -> Outcome:
    return Outcome(451, status, (text,))


def _said(said: bytes) -> Outcome | None:
    lines = tuple(
        "".join([chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in line.removesuffix(b"\r")])
        for line in said.rstrip(b"\r\n\0").split(b"\n"))
    if said[:1] in (b"D", b"Z") and len(said) > 2:
        permanent = said[:1] == b"D"
        return Outcome(554 if permanent else 451, "5.3.0" if permanent else "4.3.0", (lines[0][1:],))
    return _reply_lines(lines)


def _reply_lines(lines: tuple[str, ...]) -> Outcome | None:
    """"550 5.7.1 text" on each line, the same code and status on all; None for anything else."""
    code, _, rest = lines[0].partition(" ")
    status = rest.partition(" ")[0]
    prefix = f"{code} {status} "
    known = len(code) == 3 and code.isdigit() and code[0] in "45" and status[:2] == f"{code[0]}."
    if not known or not all(line.startswith(prefix) for line in lines):
        return None
    return Outcome(int(code), status, tuple(line[len(prefix):] for line in lines))


def _written(fd: int, data: bytes) -> bool:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view):]
    except OSError:
        return False
    return True


def _read_until_exit(channel: int, pid: int) -> bytes:
    """The words on the channel, to their end or the program's: a daemon that it left behind must not hold the session."""
    os.set_blocking(channel, False)
    said = b""
    process = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(channel, select.POLLIN)
        poll.register(process, select.POLLIN)
        while True:
            ready = dict(poll.poll(LIFETIME * 1000))
            piece = _read_some(channel)
            if piece:
                said = (said + piece)[:CHANNEL_MAX]
            elif piece == b"" or process in ready or not ready:
                return said
    finally:
        os.close(process)


def _read_some(channel: int) -> bytes | None:
    """What is there now; b"" at the end, None when there is nothing yet."""
    try:
        return os.read(channel, CHANNEL_MAX)
    except BlockingIOError:
        return None
