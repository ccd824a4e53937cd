"""How a program that qmail or tcpserver starts begins, starts others, and hands its process on.

Python ignores SIGPIPE and SIGXFSZ, and exec inherits what is ignored: every program that we start gets both back, and
SIGCHLD too, which our own parent may have ignored.
Private module _signal: its public twin imports enum, which costs half as much again as the whole start of the interpreter.
"""

import posix
from _signal import SIG_DFL, SIGCHLD, SIGPIPE, SIGXFSZ, signal

DEFAULT_SIGNALS = (SIGPIPE, SIGXFSZ, SIGCHLD)


def prepare() -> None:
    """What a program does first: the standard descriptors are open, and its children can be waited for.

    While SIGCHLD is ignored the kernel throws exit codes away, and every queued message would be answered with 451.
    """
    open_standard_descriptors()
    signal(SIGCHLD, SIG_DFL)


def open_standard_descriptors() -> None:
    """Put /dev/null where descriptor 0, 1 or 2 is closed, or the next file we open would become our log."""
    for fd in (0, 1, 2):
        try:
            posix.fstat(fd)
        except OSError:
            posix.open("/dev/null", posix.O_RDWR)
            posix.set_inheritable(fd, True)


def exec_program(path: str, arguments: list[str], environment: dict[bytes, bytes]) -> None:
    """Become another program, in the same process; descriptors that are not close-on-exec stay.

    Raises:
        OSError: it cannot be executed; the signals are then at their defaults, and a write to a broken pipe kills.
    """
    for number in DEFAULT_SIGNALS:
        signal(number, SIG_DFL)
    posix.execve(path, [path, *arguments], environment)


def spawn(path: str, descriptors: dict[int, int], environment: dict[bytes, bytes]) -> int:
    """Start a program without arguments; returns its process id, for posix.waitpid().

    descriptors  the child's number: ours, in the order in which they are put there; everything else of ours that is
                 close-on-exec, as all that Python opens is, stays behind

    Raises:
        OSError: it cannot be executed, or no process can be made.
    """
    return posix.posix_spawn(
        path, [path], environment,
        file_actions=[(posix.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()],
        setsigdef=DEFAULT_SIGNALS)
