"""A process of many sessions: takes connections, finds out what tcp.smtp says of each, and talks with all of them at once."""

import asyncio
import os

from .. import replies
from ..lookups.warm import Warm
from ..qmail.control import Control, ControlError
from ..qmail.env import Peer
from . import serverlog
from .admission import Admission
from .budget import Budget
from .clientrules import ClientRules
from .connection import Connection
from .conversations import Conversations, turned_away
from .ends import ShutdownError
from .logpipe import LogPipe
from .metrics import Figures
from .peers import Peers
from .queues import Queues
from .site import Site
from .sockets import settle
from .visit import Visit
from .weight import Weight, trim
from .wheel import Wheel

BUFFER = 16384
"""Bytes that are read at once; whoever is busy with something else may have that much waiting, beside what INPUT_MAX says."""
SWEEP = 1.0
"""Seconds between two looks at the deadlines."""


class Listener:
    """One worker; see Host in connection.py for what its connections call."""

    def __init__(self, options: "Options", control_directory: str, home: str, arrivals: "Arrivals | None" = None) -> None:
        """To be made while the loop runs.

        arrivals  see Queues

        Raises:
            ControlError: what the look-ups have to know makes no sense.
        """
        loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(BUFFER))
        self.now = loop.time
        self.sleep = asyncio.sleep
        self.call_later = loop.call_later
        self.log = LogPipe(loop)
        self._options = options
        self._home = home
        self._control = Control(control_directory)
        self._admission = Admission(options.limit, options.per_address, options.per_net, options.tally)
        self._rules = ClientRules(options.rules, options.without_rules, self._complain)
        self._peers = Peers(options)
        self._site = Site(control_directory, self._complain)
        self._weight = Weight()
        self.budget = Budget(options.memory << 20, options.messages or options.limit, self._weight)
        self._queues = Queues(self._control, self.budget, arrivals)
        self.conversations = Conversations(self._site, self._queues, self.now, self.write_log, self._complain)
        self._warm = Warm(self._control, home, self._admission.counts)
        self._uses = {self._warm: 0}
        self._wheel = Wheel(loop.time())
        self._visits: dict[Connection, Visit] = {}
        self._served = 0
        self._pid = os.getpid()
        self.draining = False
        self.figures = Figures() if options.metrics else None
        self._swept = loop.time()
        self._sweeping = loop.call_later(SWEEP, self._sweep)

    def connection(self) -> Connection:
        """For the loop, which calls it for each client."""
        return Connection(self)

    # What a connection calls

    def begin(self, connection: Connection, transport: asyncio.Transport) -> None:
        """See Host."""
        if not self._options.keep_ip_options:
            settle(transport.get_extra_info("socket"), self._options)
        peer = self._peers.peer(transport)
        if peer is None:
            transport.abort()
            return
        visit = self.visit(peer)
        lacking = self.budget.refusal()
        refused = lacking or self._admission.admit(peer.ip)
        if refused:
            transport.write((replies.TOO_BUSY if lacking else replies.TOO_MANY_CONNECTIONS).wire)
            transport.close()
            self.note_refused(peer, refused)
            return
        self.hold(connection, visit)
        if self._options.verbosity > 1:
            self._say_status()
            self.log.say(serverlog.start(visit.number, peer.ip))
        if self._peers.ask or self._options.banner:
            connection.start(self._look_up_first(connection, visit))
        else:
            self._admit(connection, visit)

    def visit(self, peer: Peer) -> Visit:
        """One that begins now."""
        self._served += 1
        return Visit(peer, serverlog.number(self._pid, self._served), self._warm)

    def hold(self, connection: Connection, visit: Visit) -> None:
        """Count a connection in, and watch over its deadlines."""
        self._visits[connection] = visit
        self._uses[visit.warm] += 1
        self._wheel.add(connection)

    def end(self, connection: Connection, well: bool, fault: BaseException | None) -> None:
        """See Host."""
        if connection not in self._visits:
            return
        visit = self.let_go(connection, fault)
        self._admission.release(visit.peer.ip)
        if self._options.verbosity > 1:
            self.log.say(serverlog.end(visit.number, visit.exit_code(well, fault)))
            self._say_status()

    def let_go(self, connection: Connection, fault: BaseException | None) -> Visit:
        """A connection has ended."""
        visit = self._visits.pop(connection)
        if fault is not None:
            self._complain(f"{type(fault).__name__}: {fault}".encode("utf-8", "replace"))
        self._uses[visit.warm] -= 1
        if not self._uses[visit.warm] and visit.warm is not self._warm:
            del self._uses[visit.warm]
            visit.warm.close()
        return visit

    async def _look_up_first(self, connection: Connection, visit: Visit) -> bool:
        """Find out names, and say the banner, before the client is let in."""
        await self._peers.look_up(visit.peer, visit.warm)
        if self._options.banner:
            await connection.write(self._options.banner)
        conversation = self._admitted(connection, visit)
        return await conversation if conversation is not None else False

    def _admit(self, connection: Connection, visit: Visit) -> None:
        conversation = self._admitted(connection, visit)
        if conversation is not None:
            connection.start(conversation)
        else:
            connection.start(turned_away())

    def _admitted(self, connection: Connection, visit: Visit) -> "Coroutine[object, None, bool] | None":
        """The session with a client, None when the rules deny him."""
        found = self._rules.find(visit.peer.ip, visit.peer.host, self.now())
        if self._options.verbosity > 1:
            self._say_verdict(visit, allowed=found.allow)
        if not found.allow:
            visit.denied = True
            return None
        return self.conversations.begin(connection, visit, found)

    # The log

    def write_log(self, lines: "list[tuple[str, Pairs]]") -> None:
        """Write lines, and count them where somebody wants to know."""
        self.log.write_all(lines)
        if self.figures:
            for event, pairs in lines:
                self.figures.count(event, pairs)

    def note(self, event: str, pairs: "Pairs") -> None:
        """Write a line."""
        self.write_log([(event, pairs)])

    def note_refused(self, peer: Peer, why: str) -> None:
        """Somebody was told to come again."""
        self.note("session", [("ip", peer.ip), ("rule", why.encode()), ("verdict", b"refused"), ("code", 421)])

    def _complain(self, why: bytes) -> None:
        self.note("fault", [("why", why)])

    def _say_status(self) -> None:
        self.log.say(serverlog.status(self._admission.total(), self._options.limit))

    def _say_verdict(self, visit: Visit, *, allowed: bool) -> None:
        peer = visit.peer
        self.log.say(serverlog.verdict(
            visit.number, allowed=allowed, local_host=peer.local, local_ip=peer.local_ip,
            local_port=int(peer.local_port or b"0"), host=peer.host, ip=peer.ip, info=None, port=int(peer.port or b"0")))

    # Signals and time

    def reread(self) -> None:
        """HUP: read everything again; what goes on ends with what it began with."""
        self._site.forget()
        self._rules.forget()
        self._peers.forget()
        try:
            fresh = Warm(self._control, self._home, self._admission.counts)
        except ControlError as error:
            self._complain(str(error).encode("ascii", "replace"))
            return
        old, self._warm = self._warm, fresh
        self._uses[fresh] = 0
        if not self._uses[old]:
            del self._uses[old]
            old.close()

    @property
    def held(self) -> int:
        """The connections that stand."""
        return len(self._visits)

    def send_home(self) -> None:
        """End the sessions that are between two messages: we are going down."""
        for connection, visit in list(self._visits.items()):
            if visit.idle:
                connection.interrupt(ShutdownError())

    def _sweep(self) -> None:
        self._sweeping = self.call_later(SWEEP, self._sweep)
        now = self.now()
        if self.figures:
            self.figures.lag = max(self.figures.lag, now - self._swept - SWEEP)
        self._swept = now
        self._wheel.sweep(now)
        too_much_free, too_heavy = self.budget.weigh(now, self.held)
        if too_heavy:
            self._shed()
        if too_much_free:
            asyncio.get_running_loop().run_in_executor(None, trim)
        if self.draining:
            self.send_home()

    def _shed(self) -> None:
        """End half of the sessions that have no message under way, the oldest: who sends mail does not stay for long."""
        some = [connection for connection, visit in self._visits.items()
                if not visit.in_message and not visit.leaving]
        for connection in some[:(len(some) + 1) // 2]:
            connection.interrupt(ShutdownError())

    def cut_off(self) -> None:
        """End all connections, whatever they are at: their time is over."""
        for connection in list(self._visits):
            connection.abort()

    def close(self) -> None:
        """Nothing more is to come.  The loop may go on for a while: it waits for its threads."""
        self._sweeping.cancel()
        self._queues.close()
        for warm in self._uses:
            warm.close()
        self._weight.close()
        self.log.flush()


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..qmail.logline import Pairs
    from .options import Options
    from .queues import Arrivals
