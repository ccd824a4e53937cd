"""Callouts: would another server take mail for this address?  docs/callouts.md says what is asked of whom.

A session has at most one callout under way, and so has a domain whose senders are verified.  The client waits callouttimeout
seconds; a callout without an answer by then goes on (under tcpserver in finish(), when the client has gone), so that the
client's next attempt finds the answer in the store.  Without a store nobody is asked.
"""

import time
from abc import ABC, abstractmethod

from ..address import domain
from ..checks.base import LookupFailedError
from ..listfiles import parsed
from ..names import host_keys
from ..netblock import address as parsed_address
from ..netblock import netblock
from ..qmail.logline import quote
from ..qmail.settings import Setting, Settings
from ..rules.atonce import complete
from . import turns
from .outside import Outside
from .smtpclient import Inquiry
from .smtproutes import PORT, Route, find

SETTINGS = (
    Setting("calloutip", None, "Addresses to make callouts from, a blank between; default: the kernel's choice."),
    Setting("callouttimeout", 15, "Seconds that a client waits for the answer to a callout."),
    Setting("calloutrate", 60, "Callouts for senders in a minute; what is more is unknown."),
    Setting("calloutdomainrate", 10, "Callouts for senders of one domain in a minute."),
    Setting("calloutrcptrate", 600, "Callouts for recipients in a minute."),
    Setting("helohost", None, "What we call ourselves to other servers, as qmail-remote has it; default: me."),
)

AFTERWARDS = 30.0
"""Seconds for a callout after the client has gone."""
HOSTS_MAX = 2
"""MX hosts of a domain that are tried."""
POSITIVE = 7 * 86400.0
"""Seconds for which it is remembered that an address exists."""


class Kind:
    """What the two kinds of callout differ in.

    name      begins their keys in the store: what begins with "?" goes first when the store is full
    negative  seconds for which it is remembered that there is no such address
    """

    __slots__ = ("name", "negative")

    def __init__(self, name: bytes, negative: float) -> None:
        self.name = name
        self.negative = negative


SENDER = Kind(b"?callout-sender ", 7200.0)
RECIPIENT = Kind(b"?callout-rcpt ", 3600.0)


class Callout:
    """A callout under way.

    key   of its answer in the store
    turn  what it has to give back at its end: a key of turns.take() and the number, None for nothing
    """

    __slots__ = ("inquiry", "key", "kind", "turn")

    def __init__(self, kind: Kind, key: bytes, turn: "Turn | None", inquiry: Inquiry) -> None:
        self.kind = kind
        self.key = key
        self.turn = turn
        self.inquiry = inquiry


class CalloutSettings:
    """What the site's control files say of callouts.

    values   the settings
    name     what we call ourselves
    sources  addresses to connect from
    outside  where strangers may send us
    routes   of control/smtproutes, by domain
    port     of MX hosts
    """

    __slots__ = ("name", "outside", "port", "routes", "sources", "values")

    def __init__(self, control: "Control", port: int = PORT) -> None:
        """The control files are read now.

        Raises:
            ControlError: one of them cannot be read or makes no sense.
        """
        self.values = values = Settings(SETTINGS, control)
        self.port = port
        self.name = values.text("helohost") or control.line("me") or b"localhost"
        self.sources = (values.text("calloutip") or b"").split()
        try:
            for source in self.sources:
                parsed_address(source)
        except ValueError as error:
            raise control.error("calloutip", str(error)) from error
        self.outside = Outside(parsed(control, "calloutallow", netblock) or ())
        self.routes = {route.domain: route for route in parsed(control, "smtproutes", Route) or ()}


class SessionCallouts(ABC):
    """Callouts (checks/base.py): who may be asked, and what is remembered.  How one waits for it is left to _answer()."""

    __slots__ = ("_dns", "_settings", "_store")

    def __init__(self, settings: CalloutSettings, dns: "Dns", store: "Callable[[], Store]") -> None:
        self._settings = settings
        self._dns = dns
        self._store = store

    async def recipient(self, address: bytes) -> bool | None:
        """See Callouts."""
        route = find(self._settings.routes, host_keys(domain(address) or b""))
        if route is None:
            raise LookupFailedError("callout: control/smtproutes names no server for the domain")
        return await self._ask(RECIPIENT, address, lambda: self._places((route.relay,), route.port, anywhere=True))

    async def sender(self, address: bytes) -> bool | None:
        """See Callouts."""
        return await self._ask(SENDER, address, lambda: self._places_of_domain(domain(address) or b""))

    async def _ask(self, kind: Kind, address: bytes, places: "Places") -> bool:
        key = kind.name + address.lower()
        known = await self._store().get(key)
        if known is not None:
            return known.startswith(b"+")
        return await self._answer(kind, key, address, places)

    @abstractmethod
    async def _answer(self, kind: Kind, key: bytes, address: bytes, places: "Places") -> bool:
        """What a server says, if it does so in time: by _admit(), the inquiry, and _conclude()."""

    async def _admit(self, kind: Kind, key: bytes, address: bytes, places: "Places") -> Callout:
        turn: Turn | None = None
        try:
            inquiry = Inquiry(self._settings.name, address, self._settings.sources)
            if kind is SENDER:
                name = b"?callout-turn " + (domain(address) or b"")
                turn = name, await turns.take(self._store(), name)
            await self._count(kind, domain(address) or b"")
            inquiry.places = await places()
            if not inquiry.places:
                inquiry.verdict, inquiry.why = False, b"null MX"
            return Callout(kind, key, turn, inquiry)
        except (LookupFailedError, ValueError) as error:
            await self._end(turn)
            raise LookupFailedError(f"callout: {error}") from error

    async def _count(self, kind: Kind, host: bytes) -> None:
        """Be one of those that are allowed in this minute."""
        values = self._settings.values
        if kind is SENDER:
            await turns.spend(self._store(), b"?callout-rate " + host, values.number("calloutdomainrate"))
            await turns.spend(self._store(), b"callout-rate", values.number("calloutrate"))
        else:
            await turns.spend(self._store(), b"callout-rcptrate", values.number("calloutrcptrate"))

    async def _conclude(self, callout: Callout) -> bool:
        """What came of an inquiry that is over; it is remembered."""
        await self._end(callout.turn)
        verdict, why = callout.inquiry.verdict, callout.inquiry.why
        if verdict is None:
            raise LookupFailedError(f"callout: {quote(why)}")
        value, lifetime = (b"+" + why, POSITIVE) if verdict else (b"-" + why, callout.kind.negative)
        try:
            await self._store().put(callout.key, value, lifetime)
        except LookupFailedError:
            pass  # the answer is good without being remembered
        return verdict

    async def _give_up(self, callout: Callout) -> None:
        """Leave the server alone; its domain may be asked again."""
        callout.inquiry.close()
        await self._end(callout.turn)

    async def _end(self, turn: "Turn | None") -> None:
        if turn is not None:
            try:
                await turns.end(self._store(), *turn)
            except LookupFailedError:
                pass

    async def _places_of_domain(self, host: bytes) -> "list[Place]":
        """Where mail for a domain goes; [] when it says that it takes none (RFC 7505)."""
        names = await self._dns.ask(host, "MX") or (host,)
        return [] if names[0] == b"" else await self._places(names[:HOSTS_MAX], self._settings.port, anywhere=False)

    async def _places(self, names: tuple[bytes, ...], port: int, *, anywhere: bool) -> "list[Place]":
        """An address of each server, at least one.

        anywhere  the site has named the servers, so they may be in its own network
        """
        found, why = [], "no server with an address out in the world"
        for name in names:
            try:
                addresses = await self._addresses(name) if anywhere else await self._looked_up(name)
            except LookupFailedError as error:
                why = str(error)
                continue
            found += [(ip, port) for ip in addresses if anywhere or self._settings.outside.has(ip)][:1]
        if not found:
            raise LookupFailedError(why)
        return found

    async def _addresses(self, name: bytes) -> tuple[bytes, ...]:
        """Of what smtproutes names: an address, or a name."""
        try:
            parsed_address(name)
        except ValueError:
            return await self._looked_up(name)
        return (name,)

    async def _looked_up(self, name: bytes) -> tuple[bytes, ...]:
        return await self._dns.ask(name, "A") or await self._dns.ask(name, "AAAA")


class BlockingCallouts(SessionCallouts):
    """Callouts for a process of one session."""

    __slots__ = ("_under_way",)

    def __init__(self, control: "Control", dns: "Dns", store: "Callable[[], Store]", port: int = PORT) -> None:
        """See CalloutSettings, which is read now."""
        super().__init__(CalloutSettings(control, port), dns, store)
        self._under_way: Callout | None = None

    async def spf(self, ip: bytes, sender: bytes, helo: bytes) -> tuple[str, bytes]:
        """See Callouts."""
        from .spf import evaluate  # noqa: PLC0415 - a session pays for it when a rule asks for SPF

        return evaluate(ip, sender, helo, self._settings.name, lambda name, kind: complete(self._dns.ask(name, kind)))

    @property
    def unfinished(self) -> bool:
        """Whether finish() has something to do."""
        return self._under_way is not None

    async def finish(self) -> None:
        """Go on with what is under way, at most AFTERWARDS seconds, and remember its answer; to be called after the session."""
        callout, self._under_way = self._under_way, None
        if callout is not None:
            try:
                await self._go_on(callout, time.monotonic() + AFTERWARDS)
            except LookupFailedError:
                await self._give_up(callout)

    async def _answer(self, kind: Kind, key: bytes, address: bytes, places: "Places") -> bool:
        if self._under_way is None:
            self._under_way = await self._admit(kind, key, address, places)
        elif self._under_way.key != key:
            raise LookupFailedError("callout: another one of this session is under way")
        return await self._go_on(self._under_way, time.monotonic() + self._settings.values.number("callouttimeout"))

    async def _go_on(self, callout: Callout, deadline: float) -> bool:
        if not callout.inquiry.go_on(deadline):
            raise LookupFailedError("callout: no answer yet")
        self._under_way = None
        return await self._conclude(callout)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..checks.base import Dns, Store
    from ..qmail.control import Control
    from .smtpclient import Place

    Turn = tuple[bytes, int]
    Places = Callable[[], Awaitable[list[Place]]]
