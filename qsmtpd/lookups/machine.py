"""The state of this machine, from the kernel: load, memory, pressure (proc(5)), and who is connected to us.

Who is connected is counted afresh each time, from the kernel's own list: no process has to keep count, and none that dies can
keep it wrong.  It takes about a millisecond for each thousand connections of the machine.
"""

import posix
import sys

from ..checks.base import LookupFailedError
from ..netblock import address

PIECE = 65536

_ESTABLISHED = b"01"
_LITTLE = sys.byteorder == "little"
_MAPPED = b"0000000000000000" + (b"FFFF0000" if _LITTLE else b"0000FFFF")
_NET24 = slice(2, 8) if _LITTLE else slice(0, 6)


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
        try:
            bits, number = address(ip)
            if not local_port.isdigit():
                raise ValueError("our port is not known")
            port = b":%04X " % int(local_port)
            six = remotes(self._file("net/tcp6", absent=b""), port, 32)
            if bits == 128:
                client = b"".join([_word(number >> shift & 0xFFFFFFFF) for shift in (96, 64, 32, 0)])
                return six.count(client), sum([each[:16] == client[:16] and each[:24] != _MAPPED for each in six])
            four = remotes(self._file("net/tcp"), port, 8) + [each[24:] for each in six if each[:24] == _MAPPED]
            client = _word(number)
            return four.count(client), sum([each[_NET24] == client[_NET24] for each in four])
        except (OSError, ValueError) as error:
            raise LookupFailedError(f"sessions: {error}") from error

    def _file(self, name: str, absent: bytes | None = None) -> bytes:
        """A whole file of proc.

        absent  when given, what stands for a file that is not there

        Raises:
            OSError: it cannot be read.
        """
        try:
            fd = posix.open(f"{self.proc}/{name}", posix.O_RDONLY)
        except FileNotFoundError:
            if absent is None:
                raise
            return absent
        pieces = []
        try:
            while piece := posix.read(fd, PIECE):
                pieces.append(piece)
        finally:
            posix.close(fd)
        return b"".join(pieces)


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


def remotes(text: bytes, port: bytes, width: int) -> list[bytes]:
    """The remote addresses of the connections that stand with a port of ours, as /proc/net/tcp writes them.

    A line is "  12: LOCAL:PORT REMOTE:PORT STATE ...", the number of the line being as wide as it needs.

    port   as it stands there: a colon, four hexadecimal digits, a blank
    width  of an address: 8 or 32 digits
    """
    to_remote = width + len(port)
    to_state = to_remote + width + len(port)
    return [
        line[at + to_remote:at + to_remote + width] for line in text.split(b"\n")
        if line[(at := line.find(b": ") + 2) + width:at + to_remote] == port
        and line[at + to_state:at + to_state + 2] == _ESTABLISHED]


def _word(number: int) -> bytes:
    """32 bits of an address as the kernel prints them: as a number of the machine's own byte order."""
    return b"%08X" % int.from_bytes(number.to_bytes(4, "big"), sys.byteorder)
