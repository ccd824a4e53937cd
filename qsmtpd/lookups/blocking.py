"""Look-ups for a process of one session: they block, and never suspend the coroutine that awaits them."""

import posix

import cdbx

from ..checks.base import LookupFailedError
from ..qmail.control import Control
from ..qmail.settings import Settings

HEADER = 2048
"""Bytes before the first record of a cdb.  A file of zeros, as a crash may leave one, would else know nobody."""


class BlockingLookups:
    """Each database is opened at most once a session, so that one session sees one state of it.

    DNS, store and the like are imported when a check first asks for them: most sessions of a busy server never do.
    """

    def __init__(
            self, control: Control, home: str, *, now: float, note: "Callable[[bytes], None]",
            early: "Callable[[float], bool] | None" = None, seed: bytes | None = None,
    ) -> None:
        """What a session is told.

        now    seconds since 1970
        note   writes a line to the log
        early  see Lookups; None where no client is waiting
        seed   of draw(): the same numbers for the same seed; None: by chance
        """
        self.control_directory = control.directory
        self.home = home
        self.now = now
        self._control = control
        self._note = note
        self._noted: set[bytes] = set()
        self._early = early
        self._seed = seed
        self._databases: dict[str, cdbx.CDB | None] = {}
        self._domains: dict[str, dict[bytes, bool | None]] = {}
        self._own_addresses: frozenset[bytes] | None = None
        self._dns: Dns | None = None
        self._store: Store | None = None
        self._machine: Machine | None = None
        self._callouts: BlockingCallouts | None = None

    @property
    def dns(self) -> "Dns":
        """See Lookups."""
        if self._dns is None:
            from . import resolver  # noqa: PLC0415

            self._dns = resolver.from_system(self._control.directory)
        return self._dns

    @property
    def store(self) -> "Store":
        """See Lookups."""
        if self._store is None:
            from .store import SETTINGS, open_store  # noqa: PLC0415

            values = Settings(SETTINGS, self._control)
            self._store = open_store(values.text("store") or b"", self.home, values.number("storemax"))
        return self._store

    @property
    def machine(self) -> "Machine":
        """See Lookups."""
        if self._machine is None:
            from .machine import MachineState  # noqa: PLC0415

            self._machine = MachineState()
        return self._machine

    @property
    def callouts(self) -> "BlockingCallouts":
        """See Lookups."""
        if self._callouts is None:
            from .callouts import BlockingCallouts  # noqa: PLC0415

            self._callouts = BlockingCallouts(self._control, self.dns, lambda: self.store)
        return self._callouts

    async def finish(self, let_go: "Callable[[], None]") -> None:
        """End the talks with other servers that the client did not wait for.

        let_go  called before that, if there are some: the client is not to wait now either
        """
        if self._callouts is not None and self._callouts.unfinished:
            let_go()
            await self._callouts.finish()

    async def early(self, seconds: float) -> bool:
        """See Lookups."""
        return self._early is not None and self._early(seconds)

    async def run(
            self, program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (),
            words: bytes | None = None) -> int:
        """See Lookups."""
        from . import program as programs  # noqa: PLC0415

        return programs.run(program, environment, arguments, words)

    def note(self, why: bytes) -> None:
        """See Lookups."""
        if why not in self._noted:
            self._noted.add(why)
            self._note(why)

    def draw(self, line: int) -> float:
        """See Lookups."""
        return drawn(self._seed, line)

    def value(self, name: str, key: bytes) -> bytes | None:
        """See Lookups."""
        database = self._database(name)
        try:
            return None if database is None else database.get(key)
        except (OSError, MemoryError, OverflowError) as error:
            raise LookupFailedError(f"{name}: {error}") from error

    def has_key(self, name: str, key: bytes) -> bool | None:
        """See Lookups.  A name that begins with ./ is a path from QMAILHOME on, any other a file of the control directory.

        The file is read, not mapped: a file that somebody truncates must not end us by SIGBUS.
        """
        database = self._databases[name] if name in self._databases else self._database(name)
        if database is None:
            return None
        try:
            return key in database
        except (OSError, MemoryError, OverflowError) as error:
            raise LookupFailedError(f"{name}: {error}") from error

    def has_domain(self, name: str, host: bytes) -> bool | None:
        """See Lookups."""
        known = self._domains.get(name)
        if known is None:
            known = self._domains[name] = {}
        if host not in known:
            known[host] = self.has_key(name, b"@" + host)
        return known[host]

    def _database(self, name: str) -> "cdbx.CDB | None":
        if name not in self._databases:
            try:
                self._databases[name] = opened(path_of(name, self.control_directory, self.home))
            except (OSError, MemoryError, OverflowError) as error:
                raise LookupFailedError(f"{name}: {error}") from error
        return self._databases[name]

    async def is_own_address(self, ip: bytes) -> bool:
        """See Lookups."""
        if self._own_addresses is None:
            try:
                self._own_addresses = own_addresses()
            except OSError as error:
                raise LookupFailedError(f"interfaces: {error}") from error
        return ip in self._own_addresses


def path_of(name: str, control_directory: str, home: str) -> str:
    """Where a database is: see has_key()."""
    if name.startswith(".//"):
        return name[2:]
    return f"{home}/{name}" if name.startswith("./") else f"{control_directory}/{name}"


def opened(path: str) -> cdbx.CDB | None:
    """The database in a file; None when it is not there.

    Raises:
        OSError, MemoryError, OverflowError: it is there, and is none, or cannot be read.
    """
    try:
        fd = posix.open(path, posix.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if int.from_bytes(posix.pread(fd, 4, 0), "little") < HEADER:
            raise OSError("no cdb: its first table would stand in the header")
    except OSError:
        posix.close(fd)
        raise
    return cdbx.CDB(fd, close=True, mmap=False)


def drawn(seed: bytes | None, line: int) -> float:
    """See Lookups.draw()."""
    from _random import Random  # noqa: PLC0415 - for rules that leave something to chance

    if seed is None:
        return Random().random() * 100
    return Random(int.from_bytes(b"%b %d" % (seed, line), "big")).random() * 100


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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..checks.base import Dns, Machine, Store
    from .callouts import BlockingCallouts
