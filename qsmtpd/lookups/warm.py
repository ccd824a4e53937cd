"""Look-ups for a process of many sessions (the listener): what can be shared is, and nothing blocks its event loop.

What a session sees is what it would see under tcpserver: one state of each database, one budget for the DNS, one callout at a
time.  The settings are those of the process; what tcp.smtp sets for some clients does not change where we look things up.
"""

import asyncio

from ..checks.base import LookupFailedError
from ..qmail import env
from . import warmspf
from .blocking import drawn, own_addresses
from .callouts import CalloutSettings
from .databases import Databases
from .machine import MachineState
from .resolver import configured
from .warmcallouts import UnderWay, WarmCallouts
from .warmdns import SessionDns, WarmDns
from .warmprograms import Programs
from .warmstore import WarmStore, store_of_site

FRESH = 1.0
"""Seconds for which a figure of the machine is good."""
ADDRESSES_FRESH = 10.0
"""Seconds for which the list of our own addresses is."""


class Warm:
    """What the sessions of a process share; made while its loop runs, before there are any: libraries are imported here.

    When control files have changed it is time for another one: close() this when its last session is over.
    """

    def __init__(self, control: "Control", home: str, counts: "Callable[[bytes], tuple[int, int]]") -> None:
        """What the process knows.

        counts  the connections that stand, from an address, and from its netblock

        Raises:
            ControlError: a setting makes no sense, or a file cannot be read.
        """
        self.loop = asyncio.get_running_loop()
        self.databases = Databases(control.directory, home, self.loop.time)
        self.machine = WarmMachine(self.loop.time, counts)
        self.programs = Programs(self.loop)
        self.store = store_of_site(control, home, self.loop)
        self._dns = WarmDns(self.loop, *configured(control))
        self._callouts = CalloutSettings(control)
        self._under_way = UnderWay(self.loop)
        warmspf.prepare()
        self._own: frozenset[bytes] = frozenset()
        self._own_until = 0.0

    def session(
            self, *, note: "Callable[[bytes], None]", early: "Callable[[float], Awaitable[bool]] | None", seed: bytes | None,
            now: float, environment: "Callable[[], dict[bytes, bytes]] | None" = None,
    ) -> "WarmLookups":
        """The look-ups of one session; as for BlockingLookups.

        early        to be awaited
        environment  gives all variables that programs get; None for those of this process
        """
        return WarmLookups(self, note=note, early=early, seed=seed, now=now, environment=environment)

    def close(self) -> None:
        """End what goes on by itself; what the store was told is still written."""
        self._under_way.close()
        self._dns.close()
        self.store.close()

    def dns_of_session(self) -> SessionDns:
        return SessionDns(self._dns)

    def callouts_of_session(self, dns: SessionDns) -> WarmCallouts:
        return WarmCallouts(self._callouts, dns, lambda: self.store, self._under_way)

    def own_addresses(self) -> frozenset[bytes]:
        """Those of this machine.

        Raises:
            OSError: the kernel does not say.
        """
        if self.loop.time() >= self._own_until:
            self._own = own_addresses()
            self._own_until = self.loop.time() + ADDRESSES_FRESH
        return self._own


class WarmLookups:
    """See Lookups; of one session."""

    __slots__ = (
        "_callouts", "_databases", "_dns", "_domains", "_early", "_environment", "_note", "_noted", "_seed", "_warm", "now")

    def __init__(
            self, warm: Warm, *, note: "Callable[[bytes], None]", early: "Callable[[float], Awaitable[bool]] | None",
            seed: bytes | None, now: float, environment: "Callable[[], dict[bytes, bytes]] | None",
    ) -> None:
        self.now = now
        self._warm = warm
        self._note = note
        self._early = early
        self._seed = seed
        self._environment = environment
        self._noted: set[bytes] | None = None
        self._databases: dict[str, cdbx.CDB | None] | None = None
        self._domains: dict[str, dict[bytes, bool | None]] | None = None
        self._dns: SessionDns | None = None
        self._callouts: WarmCallouts | None = None

    @property
    def dns(self) -> SessionDns:
        """See Lookups."""
        if self._dns is None:
            self._dns = self._warm.dns_of_session()
        return self._dns

    @property
    def store(self) -> WarmStore:
        """See Lookups."""
        return self._warm.store

    @property
    def machine(self) -> "WarmMachine":
        """See Lookups."""
        return self._warm.machine

    @property
    def callouts(self) -> WarmCallouts:
        """See Lookups."""
        if self._callouts is None:
            self._callouts = self._warm.callouts_of_session(self.dns)
        return self._callouts

    async def early(self, seconds: float) -> bool:
        """See Lookups."""
        return self._early is not None and await self._early(seconds)

    async def run(
            self, program: bytes, environment: dict[bytes, bytes], arguments: tuple[bytes, ...] = (),
            words: bytes | None = None) -> int:
        """See Lookups."""
        ours = env.without() if self._environment is None else self._environment()
        return await self._warm.programs.run(program, ours | environment, arguments, words)

    def note(self, why: bytes) -> None:
        """See Lookups."""
        if self._noted is None:
            self._noted = set()
        if why not in self._noted:
            self._noted.add(why)
            self._note(why)

    def draw(self, line: int) -> float:
        """See Lookups."""
        return drawn(self._seed, line)

    def has_key(self, name: str, key: bytes) -> bool | None:
        """See Lookups; a name as for BlockingLookups."""
        try:
            known = self._databases
            database = known[name] if known and name in known else self._database(name)
            return None if database is None else key in database
        except (OSError, MemoryError, OverflowError) as error:
            raise LookupFailedError(f"{name}: {error}") from error

    def has_domain(self, name: str, host: bytes) -> bool | None:
        """See Lookups."""
        if self._domains is None:
            self._domains = {}
        known = self._domains.setdefault(name, {})
        if host not in known:
            known[host] = self.has_key(name, b"@" + host)
        return known[host]

    def value(self, name: str, key: bytes) -> bytes | None:
        """See Lookups."""
        try:
            database = self._database(name)
            return None if database is None else database.get(key)
        except (OSError, MemoryError, OverflowError) as error:
            raise LookupFailedError(f"{name}: {error}") from error

    async def is_own_address(self, ip: bytes) -> bool:
        """See Lookups."""
        try:
            return ip in self._warm.own_addresses()
        except OSError as error:
            raise LookupFailedError(f"interfaces: {error}") from error

    def _database(self, name: str) -> "cdbx.CDB | None":
        if self._databases is None:
            self._databases = {}
        if name not in self._databases:
            self._databases[name] = self._warm.databases.current(name)
        return self._databases[name]


class WarmMachine(MachineState):
    """See Machine.  A figure is good for a second, and who is connected to us we know ourselves."""

    def __init__(self, clock: "Callable[[], float]", counts: "Callable[[bytes], tuple[int, int]]") -> None:
        super().__init__()
        self._clock = clock
        self._counts = counts
        self._figures: dict[str, tuple[float, float]] = {}

    def read(self, name: str) -> float:
        """See Machine."""
        now = self._clock()
        until, figure = self._figures.get(name, (0.0, 0.0))
        if now >= until:
            figure = super().read(name)
            self._figures[name] = now + FRESH, figure
        return figure

    def sessions(self, ip: bytes, local_port: bytes) -> tuple[int, int]:
        """See Machine; of all ports of ours together."""
        return self._counts(ip)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import cdbx

    from ..qmail.control import Control
