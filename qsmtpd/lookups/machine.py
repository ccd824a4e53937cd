"""The state of this machine, from the kernel: load, memory, pressure (proc(5)), and who is connected to us."""

import posix

from ..checks.base import LookupFailedError
from ..netblock import address

ROOM = 16384
"""Bytes: each of these files is smaller, and is written in one piece."""


class MachineState:
    """See Machine."""

    def __init__(self, proc: str = "/proc") -> None:
        """proc  where proc(5) is mounted."""
        self.proc = proc

    def read(self, name: str) -> float:
        """See Machine.  A kernel without PSI does not know psi-cpu, psi-memory and psi-io."""
        try:
            if name == "load":
                return posix.getloadavg()[0]
            if name == "load-cpu":
                return posix.getloadavg()[0] / (posix.cpu_count() or 1)
            if name == "memory":
                return memory(self._file("meminfo"))
            return pressure(self._file(f"pressure/{name.removeprefix('psi-')}"))
        except (OSError, ValueError) as error:
            raise LookupFailedError(f"{name}: {error}") from error

    def sessions(self, ip: bytes, local_port: bytes) -> tuple[int, int]:
        """See Machine."""
        from .connections import by_netlink, by_proc  # noqa: PLC0415 - who asks for the load alone needs no socket

        try:
            client = address(ip)
            if not (local_port.isdigit() and int(local_port) < 1 << 16):
                raise ValueError("our port is not known")
            port = int(local_port)
            try:
                return by_netlink(client, port)
            except OSError:
                return by_proc(client, port, self.proc)
        except (OSError, ValueError) as error:
            raise LookupFailedError(f"sessions: {error}") from error

    def _file(self, name: str) -> bytes:
        """One of the small files of proc.

        Raises:
            OSError: it cannot be read.
        """
        fd = posix.open(f"{self.proc}/{name}", posix.O_RDONLY)
        try:
            return posix.read(fd, ROOM)
        finally:
            posix.close(fd)


def memory(text: bytes) -> float:
    """Percent of the memory that is available, from /proc/meminfo.

    Raises:
        ValueError: it does not say.
    """
    total, available = [_kilobytes(text, name) for name in (b"MemTotal:", b"MemAvailable:")]
    if total <= 0:
        raise ValueError("no memory at all")
    return 100 * available / total


def _kilobytes(text: bytes, name: bytes) -> int:
    words = text[text.index(name) + len(name):].split(None, 1)
    return int(words[0] if words else b"")


def pressure(text: bytes) -> float:
    """Percent of the last ten seconds in which some process had to wait, from a file of /proc/pressure.

    Raises:
        ValueError: it does not say.
    """
    start = text.index(b"some avg10=") + 11
    return float(text[start:text.index(b" ", start)])
