"""Run a program for each recipient, as qmail-local runs one (qmail-command(8)): argv, never a shell.

Its descriptor 0 is a regular file at offset 0 with the message and nothing behind it (vdelivermail seeks in it), 1 and 2 are
what is kept as the reason; SENDER and RECIPIENT are set, QMAILQUEUE and HOLDQ_RUNNING are not.
"""

import os
import select
import tempfile
import time
from collections.abc import Iterator, Sequence
from signal import SIGKILL
from typing import BinaryIO

from qsmtpd.qmail import durable, env
from qsmtpd.qmail.process import DEFAULT_SIGNALS

from ..config import RUNNING
from ..heldfile import HeldFile, Recipient
from . import Result, Verdict

DELIVERED = frozenset((0, 99))
HARD = frozenset((100, 64, 65, 70, 76, 77, 78, 112))
SAID_MAX = 400
"""Bytes of the program's words that are kept."""


class CommandTarget:
    """The target "|program arguments"."""

    def __init__(self, argv: list[str], seconds: float, directory: str) -> None:
        """directory is where a copy of the message is made for the program; it has no name there."""
        self._argv = argv
        self._seconds = seconds
        self._directory = directory

    def deliver(self, identity: str, file: HeldFile, recipients: Iterator[Recipient]  # Target.deliver
                ) -> Iterator[tuple[Sequence[Recipient], Result]]:
        """One run for each recipient."""
        for recipient in recipients:
            yield [recipient], self._one(file, recipient)

    def _one(self, file: HeldFile, recipient: Recipient) -> Result:
        try:
            with tempfile.TemporaryFile(dir=self._directory, buffering=0) as copy:
                return self._run(file, recipient, copy)
        except OSError as error:
            return Result(Verdict.LATER, f"{self._argv[0]}: {error.strerror}")

    def _run(self, file: HeldFile, recipient: Recipient, copy: BinaryIO) -> Result:
        """A copy for each run: the program shares the descriptor's offset with us, and may write."""
        for piece in file.body():
            durable.write_all(copy.fileno(), piece)
        copy.seek(0)
        environment = env.without("QMAILQUEUE", RUNNING)  # it may send new mail, a forwarder does
        environment[b"SENDER"] = file.sender
        environment[b"RECIPIENT"] = recipient.address
        reader, writer = os.pipe()
        try:
            actions = [(os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in ((copy.fileno(), 0), (writer, 1), (writer, 2))]
            pid = os.posix_spawn(self._argv[0], self._argv, environment, file_actions=actions, setsid=True,
                                 setsigdef=DEFAULT_SIGNALS)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        try:
            said, ended = _listen(reader, pid, self._seconds)
            if not ended:
                os.killpg(pid, SIGKILL)  # it may have ended meanwhile: its status tells
        finally:
            os.close(reader)
        return result(os.waitpid(pid, 0)[1], said, None if ended else self._seconds)


def result(wait_status: int, said: bytes, timeout: float | None = None) -> Result:
    """What the end of the program means; timeout when we sent it SIGKILL after that many seconds."""
    code = os.waitstatus_to_exitcode(wait_status)
    if timeout is not None and code == -SIGKILL:
        return Result(Verdict.LATER, f"killed after {timeout:g} s")
    if code in DELIVERED:
        return Result(Verdict.DELIVERED)
    text = " ".join(said.decode("ascii", "backslashreplace").split())
    end = f"killed by signal {-code}" if code < 0 else f"exit {code}"
    return Result(Verdict.FAILED if code in HARD else Verdict.LATER, f"{end}: {text}" if text else end)


def _listen(reader: int, pid: int, seconds: float) -> tuple[bytes, bool]:
    """Its words, until it ends; whether it did within the time.  A daemon that it leaves behind does not hold us."""
    os.set_blocking(reader, False)
    said, deadline = b"", time.monotonic() + seconds
    process = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.register(process, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = dict(poll.poll(max(0.0, left) * 1000))  # once more after the deadline: we may have been asleep, not it
            if not ready or (left <= 0 and process not in ready):
                return said, False
            if reader in ready:
                piece = _read(reader)
                said = (said + piece)[:SAID_MAX]
                if piece:
                    continue
                poll.unregister(reader)
            if process in ready:
                return said, True
    finally:
        os.close(process)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except BlockingIOError:
        return b""
