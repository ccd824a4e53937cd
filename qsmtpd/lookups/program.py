"""Programs of the site that are asked something, and answer by their exit code.

One gets nothing of the client's connection: /dev/null is its standard input and output, our log its standard error, and that is
all.  It and what it started are killed when the time is over.
"""

import posix
import select
from _signal import SIGKILL

from ..checks.base import LookupFailedError
from ..qmail import env
from ..qmail.logline import quote
from ..qmail.process import DEFAULT_SIGNALS

SECONDS = 30.0
"""For one run."""
WORDS_FD = 3
WORDS_MAX = 4096
"""What a pipe takes at once, so that a program that does not read cannot stop us."""


def run(
        program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (), words: bytes | None = None,
        seconds: float = SECONDS,
) -> int:
    """The exit code.

    program      a path, from our working directory on if it is not absolute; no shell sees it, nor the arguments
    environment  variables besides ours
    words        what it may read from descriptor 3, as checkpassword programs do; None: there is no such descriptor

    Raises:
        LookupFailedError: it cannot be executed, crashed, or took too long.
    """
    name = quote(program)
    try:
        pid = start(program, env.without() | environment, arguments, words)
    except (OSError, ValueError) as error:
        raise not_executed(name, error) from error
    if not _ends(pid, seconds):
        posix.kill(-pid, SIGKILL)
        posix.waitpid(pid, 0)
        raise LookupFailedError(f"{name}: no end after {seconds:.0f} s")
    return exit_code(name, posix.waitpid(pid, 0)[1])


def not_executed(name: str, error: OSError | ValueError) -> LookupFailedError:
    """The error for a program that start() could not start, to be raised."""
    return LookupFailedError(f"{name}: {error.strerror if isinstance(error, OSError) else error}")


def exit_code(name: str, status: int) -> int:
    """From what waitpid says.

    Raises:
        LookupFailedError: it crashed.
    """
    if posix.WIFSIGNALED(status):
        raise LookupFailedError(f"{name}: killed by signal {posix.WTERMSIG(status)}")
    return posix.WEXITSTATUS(status)


def start(program: bytes, variables: dict[bytes, bytes], arguments: tuple[bytes, ...], words: bytes | None) -> int:
    """The process id; the process leads a group of its own.

    variables  all that it gets, but for QMAILQUEUE
    the rest   see run()

    Raises:
        OSError, ValueError: it cannot be executed.
    """
    null = posix.open("/dev/null", posix.O_RDWR)
    opened = [null]
    try:
        actions = [(posix.POSIX_SPAWN_DUP2, null, 0), (posix.POSIX_SPAWN_DUP2, null, 1)]
        if words is not None:
            reader, writer = posix.pipe()
            opened += [reader, writer]
            posix.write(writer, words[:WORDS_MAX])
            actions.append((posix.POSIX_SPAWN_DUP2, reader, WORDS_FD))
        return posix.posix_spawn(
            program, [program, *arguments], {name: value for name, value in variables.items() if name != b"QMAILQUEUE"},
            file_actions=actions, setpgroup=0, setsigdef=DEFAULT_SIGNALS)
    finally:
        for fd in opened:
            posix.close(fd)


def _ends(pid: int, seconds: float) -> bool:
    """Wait for the end of a process; False when the time is over, or it cannot be watched."""
    try:
        process = posix.pidfd_open(pid)
    except OSError:
        return False
    poll = select.poll()
    poll.register(process, select.POLLIN)
    ready = poll.poll(seconds * 1000)
    posix.close(process)
    return bool(ready)
