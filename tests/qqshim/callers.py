"""Callers of a queue program as they are found, each with its own error channel, and what they make of its end."""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from qsmtpd.qmail import exitcodes, logline

ENVELOPE = b"Fsender@example.org\0Tuser@bench.test\0\0"
MESSAGE = b"Received: from x (x@192.0.2.7)\nMessage-ID: <1@example.org>\nSubject: hello\n\nA message of a few words.\n"


@dataclass(frozen=True)
class Family:
    """channel: the descriptor it reads, None for none; codes: the exit codes that make it believe the words there."""

    channel: int | None
    codes: tuple[int, ...]
    environment: dict[str, str] = field(default_factory=dict)


PLAIN = Family(None, ())
NOTQMAIL = Family(6, (82,))
SIMSCAN = Family(4, (82,))
SAGREDO = Family(4, (82, 88), {"ERROR_FD": "4"})
OURS = Family(6, (82,), {"QQREPLY": "6"})
INDIMAIL = Family(2, (88,), {"ERROR_FD": "2"})


@dataclass
class Called:
    """How a call ended; log is what the program wrote to a stderr that is not the channel."""

    family: Family
    status: int
    words: bytes
    stderr: bytes

    @property
    def exit_code(self) -> int:
        """Negative: killed by that signal."""
        return os.waitstatus_to_exitcode(self.status)

    @property
    def reply(self) -> tuple[int, str]:
        """What the SMTP client is told, as qmail.c's qmail_close() has it."""
        code = self.exit_code
        if code == 0:
            return 250, "ok"
        if code < 0:
            return 451, exitcodes.CRASHED[1]
        if code in self.family.codes and len(self.words) > 2:
            return 554 if self.words.startswith(b"D") else 451, self.words[1:].decode("ascii")
        status, text = exitcodes.meaning(code)
        return 554 if status.startswith("5") else 451, text

    @property
    def log(self) -> list[dict[str, bytes]]:
        """The message lines in the log."""
        lines = [logline.parse(line) for line in self.stderr.split(b"\n")[:-1]]
        assert all(event == "message" for event, _ in lines), self.stderr
        return [pairs for _, pairs in lines]


def spawn(argv: list[str], environment: dict[str, str], descriptors: dict[int, int], *, closed: tuple[int, ...] = ()) -> int:
    """Start a program with exactly these descriptors (its number: ours); our copies stay open."""
    high = {theirs: fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 100) for theirs, ours in descriptors.items()}
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in high.items()]
    actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in closed]
    try:
        return os.posix_spawn(argv[0], argv, environment, file_actions=actions)
    finally:
        for fd in high.values():
            os.close(fd)


class Shim:
    """qqshim as installed, in a throw-away qmail home; settings are given in its environment."""

    def __init__(self, program: Path, home: Path) -> None:
        self.argv = [str(program)]
        self.environment = {"QMAILHOME": str(home), "PATH": "/usr/bin:/bin", "QMAILQUEUE": str(program), "PROTO": "TCP"}

    def log(self, stderr: bytes) -> bytes:
        """The lines about a call, what it wrote to its descriptor 2 among them."""
        return stderr

    def __call__(self, message: bytes = MESSAGE, envelope: bytes = ENVELOPE, family: Family = PLAIN, *,
                 during: Callable[[int], None] | None = None, extra: dict[int, int] | None = None,
                 **settings: str) -> Called:
        """Run it as a caller of that family does.

        during  called with the process id while the program reads
        extra   further descriptors it inherits
        """
        environment = {**self.environment, **family.environment, **{name.upper(): text for name, text in settings.items()}}
        message_pipe, envelope_pipe, channel = os.pipe(), os.pipe(), os.pipe()
        with tempfile.TemporaryFile() as stderr:
            descriptors = {0: message_pipe[0], 1: envelope_pipe[0], 2: stderr.fileno(), **(extra or {})}
            if family.channel is not None:
                descriptors[family.channel] = channel[1]
            pid = spawn(self.argv, environment, descriptors)
            for fd in (message_pipe[0], envelope_pipe[0], channel[1]):
                os.close(fd)
            feeder = Thread(target=_feed, args=((message_pipe[1], message), (envelope_pipe[1], envelope)))
            feeder.start()
            if during is not None:
                during(pid)
            with open(channel[0], "rb") as words:
                said = words.read()
            _, status = os.waitpid(pid, 0)
            feeder.join()
            stderr.seek(0)
            return Called(family, status, said, self.log(stderr.read()))


class HandedShim(Shim):
    """handoff-qqshim with nothing beside it that could do the work, and a service that has begun (serving.py)."""

    def __init__(self, program: Path, home: Path, service: Path) -> None:
        super().__init__(program, home)
        self.environment["QSMTPD_SERVICE"] = str(service)
        self._log = service.with_name("log")
        self._seen = 0

    def log(self, stderr: bytes) -> bytes:
        """What is new in the service's, too, which may come a moment after the answer."""
        lines, before = b"", None
        for _ in range(50):
            lines = self._log.read_bytes()[self._seen:]
            if b"message qp=" in lines and lines == before:
                break
            before = lines
            time.sleep(0.01)
        self._seen += len(lines)
        return stderr + lines


def _feed(*parts: tuple[int, bytes]) -> None:
    """Write each to its pipe and close it; a reader that has gone is no error."""
    for fd, data in parts:
        with open(fd, "wb", buffering=0) as pipe:
            view = memoryview(data)
            try:
                while view:
                    view = view[pipe.write(view):]
            except BrokenPipeError:
                pass
