"""Who is connected to a port of ours, from the kernel's own list: no process keeps count, and none that dies can keep it wrong.

By netlink (sock_diag(7)) the kernel itself looks for the netblock: with 5,000 connections that takes one or two milliseconds,
where reading /proc/net/tcp takes thirty.  That is for kernels and containers that do not offer the other.
"""

import posix
import sys
from _socket import AF_INET, AF_INET6, SOCK_RAW, socket
from _struct import Struct

NETLINK, SOCK_DIAG = 16, 4
PATIENCE = 5.0
"""Seconds for an answer, which is there at once."""
ROOM = 65536

_HEADER = Struct("=IHHII")
_REQUEST = Struct("=BBBBI2s2s32xIII")
_CONDITION = Struct("=BBHBBHi")
_ATTRIBUTE = Struct("=HH")
_BY_FAMILY, _DUMP = 20, 0x301
_ERROR, _DONE = 2, 3
_TCP = 6
_REMOTE = slice(40, 56)

_LITTLE = sys.byteorder == "little"
_MAPPED = b"0000000000000000" + (b"FFFF0000" if _LITTLE else b"0000FFFF")
_NET24 = slice(2, 8) if _LITTLE else slice(0, 6)
_ESTABLISHED = b"01"


def by_netlink(client: "Address", port: int) -> tuple[int, int]:
    """Connections that stand with our port: from an address, and from the /24 or /64 around it.

    Raises:
        OSError: the kernel does not offer this.
    """
    bits, number = client
    packed = number.to_bytes(bits // 8, "big")
    if bits == 128:
        dumped = _dump(AF_INET6, AF_INET6, packed, 64, port)
        remotes = [each for each in dumped if not each.startswith(bytes(10) + b"\xff\xff")]
        return remotes.count(packed), len(remotes)
    four = [each[:4] for each in _dump(AF_INET, AF_INET, packed, 24, port)]
    six = [each[12:] for each in _dump(AF_INET6, AF_INET, packed, 24, port)]
    return four.count(packed) + six.count(packed), len(four) + len(six)


def _dump(family: int, family_of_address: int, packed: bytes, length: int, port: int) -> list[bytes]:
    """The remote addresses of the sockets of a family whose remote end is in a netblock; 16 bytes each.

    The condition is the one instruction of a program for the kernel: where the address does not fit, jump behind its end.
    """
    size = _CONDITION.size + len(packed)
    condition = _CONDITION.pack(8, size, size + 4, family_of_address, length, 0, -1) + packed
    message = (
        _REQUEST.pack(family, _TCP, 0, 0, 1 << 1, port.to_bytes(2, "big"), b"", 0, 0xFFFFFFFF, 0xFFFFFFFF)
        + _ATTRIBUTE.pack(_ATTRIBUTE.size + size, 1) + condition)
    kernel = socket(NETLINK, SOCK_RAW, SOCK_DIAG)
    try:
        kernel.settimeout(PATIENCE)
        kernel.sendto(_HEADER.pack(_HEADER.size + len(message), _BY_FAMILY, _DUMP, 1, 0) + message, (0, 0))
        found: list[bytes] = []
        while not _taken(kernel.recv(ROOM), found):
            pass
        return found
    finally:
        kernel.close()


def _taken(answer: bytes, found: list[bytes]) -> bool:
    """Take the addresses out of a piece of the answer; True when it was the last.

    Raises:
        OSError: the kernel says so.
    """
    if not answer:
        raise OSError("sock_diag: no answer")
    at = 0
    while at + _HEADER.size <= len(answer):
        length, kind, _, _, _ = _HEADER.unpack_from(answer, at)
        if kind == _DONE:
            return True
        if kind == _ERROR or length < _REMOTE.stop:
            raise OSError("sock_diag: refused")
        found.append(answer[at + _REMOTE.start:at + _REMOTE.stop])
        at += length + 3 & ~3
    return False


def by_proc(client: "Address", port: int, proc: str = "/proc") -> tuple[int, int]:
    """As by_netlink(), from /proc/net/tcp and tcp6.

    Raises:
        OSError: the first cannot be read.
    """
    bits, number = client
    ours = b":%04X " % port
    six = _remotes(_read(f"{proc}/net/tcp6", absent=b""), ours, 32)
    if bits == 128:
        written = b"".join([_word(number >> shift & 0xFFFFFFFF) for shift in (96, 64, 32, 0)])
        return six.count(written), sum([each[:16] == written[:16] and each[:24] != _MAPPED for each in six])
    four = _remotes(_read(f"{proc}/net/tcp"), ours, 8) + [each[24:] for each in six if each[:24] == _MAPPED]
    written = _word(number)
    return four.count(written), sum([each[_NET24] == written[_NET24] for each in four])


def _remotes(text: bytes, port: bytes, width: int) -> list[bytes]:
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


def _read(path: str, absent: bytes | None = None) -> bytes:
    """A whole file; absent, when given, stands for one that is not there."""
    try:
        fd = posix.open(path, posix.O_RDONLY)
    except FileNotFoundError:
        if absent is None:
            raise
        return absent
    pieces = []
    try:
        while piece := posix.read(fd, ROOM):
            pieces.append(piece)
    finally:
        posix.close(fd)
    return b"".join(pieces)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..netblock import Address
