"""Look-ups for a process of one session: they block, and never suspend the coroutine that awaits them."""

import posix

import cdbx

from ..checks.base import LookupFailedError

HEADER = 2048
"""Bytes before the first record of a cdb.  A file of zeros, as a crash may leave one, would else know nobody."""


class BlockingLookups:
    """Each database is opened at most once a session, so that one session sees one state of it."""

    __slots__ = ("_databases", "_own_addresses", "control_directory", "home")

    def __init__(self, control_directory: str, home: str) -> None:
        self.control_directory = control_directory
        self.home = home
        self._databases: dict[str, cdbx.CDB | None] = {}
        self._own_addresses: frozenset[bytes] | None = None

    async def has_key(self, name: str, key: bytes) -> bool | None:
        """See Lookups.  A name that begins with ./ is a path from QMAILHOME on, any other a file of the control directory.

        The file is read, not mapped: a file that somebody truncates must not end us by SIGBUS.
        """
        try:
            if name not in self._databases:
                self._databases[name] = self._open(name)
            database = self._databases[name]
            return None if database is None else key in database
        except (OSError, MemoryError, OverflowError) as error:
            raise LookupFailedError(f"{name}: {error}") from error

    async def is_own_address(self, ip: bytes) -> bool:
        """See Lookups."""
        if self._own_addresses is None:
            try:
                self._own_addresses = own_addresses()
            except OSError as error:
                raise LookupFailedError(f"interfaces: {error}") from error
        return ip in self._own_addresses

    def _open(self, name: str) -> cdbx.CDB | None:
        path = f"{self.home}/{name}" if name.startswith("./") else f"{self.control_directory}/{name}"
        if name.startswith(".//"):
            path = name[2:]
        try:
            fd = posix.open(path, posix.O_RDONLY)
        except FileNotFoundError:
            return None
        if int.from_bytes(posix.pread(fd, 4, 0), "little") < HEADER:
            posix.close(fd)
            raise OSError("no cdb: its first table would stand in the header")
        return cdbx.CDB(fd, close=True, mmap=False)


def own_addresses() -> frozenset[bytes]:
    """The IPv4 addresses of this machine's interfaces, and 0.0.0.0, dotted, as qmail's ipme.c finds them (netdevice(7)).

    Raises:
        OSError: the kernel does not say.
    """
    import fcntl  # noqa: PLC0415 - only for a recipient with an address literal
    from _socket import AF_INET, SOCK_DGRAM, inet_ntoa, socket  # noqa: PLC0415
    from array import array  # noqa: PLC0415
    from struct import calcsize, pack, unpack  # noqa: PLC0415

    siocgifconf, entry = 0x8912, calcsize("16s24x")
    room = array("B", bytes(entry * 1024))
    probe = socket(AF_INET, SOCK_DGRAM)
    try:
        answer = fcntl.ioctl(probe.fileno(), siocgifconf, pack("iP", len(room), room.buffer_info()[0]))
    finally:
        probe.close()
    used = unpack("iP", answer)[0]
    return frozenset(inet_ntoa(room[i + 20:i + 24].tobytes()).encode() for i in range(0, used, entry)) | {b"0.0.0.0"}
