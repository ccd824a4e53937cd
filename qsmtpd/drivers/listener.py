"""A process of many sessions: takes connections, finds out what tcp.smtp says of each, and talks with all of them at once."""

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Mapping
from functools import partial

import uvloop

from .. import replies
from ..checks.base import LookupFailedError, Mail
from ..lookups.warm import Warm
from ..netblock import reverse
from ..policy import Policy
from ..qmail import env
from ..qmail.control import Control, ControlError
from ..qmail.env import Peer
from ..session import Session
from . import serverlog
from .admission import Admission
from .clientrules import ClientRules, Found
from .committed import CommittedQueue, Spool
from .committer import Committer
from .connection import Connection
from .conversation import Conversation, ShutdownError
from .handed import SESSION, Handed
from .journal import Journal
from .logpipe import LogPipe
from .metrics import Figures, publish
from .site import SharedConfig, Site
from .sockets import settle
from .spawned import Room, SpawnedQueue
from .wheel import Wheel

BUFFER = 65536
SWEEP = 1.0
"""Seconds between two looks at the deadlines."""
PROGRAMS = 20
"""Queue programs at once; qmail's own concurrency is of this kind."""
DENIED = 100
"""What tcpserver's child exits with when the rules deny a client."""
OBJECTS = 50_000
"""That are new before the collector of cycles runs: there are hardly any cycles."""
HOLDS = b"holdq-queue"
"""The queue program whose work is done here, without it."""
FROM_TCPSERVER = (b"PROTO", b"TCP", b"PATH", b"SHLVL", b"PWD", b"OLDPWD", b"_", b"QMAILHOME", b"CONTROLDIR")
"""The beginnings of names that say nothing about what tcp.smtp has set."""


class Visit:
    """What is known of a connection while it stands."""

    __slots__ = ("exit_code", "number", "peer", "session", "warm")

    def __init__(self, peer: Peer, number: int, warm: Warm) -> None:
        self.peer = peer
        self.number = number
        self.warm = warm
        self.session: Session | None = None
        self.exit_code = 0


class Listener:
    """One worker; see Host in connection.py for what its connections call."""

    def __init__(
            self, options: "Options", control_directory: str, home: str, arrivals: "Callable[[Control], Arrive] | None" = None,
    ) -> None:
        """To be made while the loop runs.

        arrivals  makes what writes into the spool of holdq

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
        self._site = Site(control_directory, self._complain)
        self._warm = Warm(self._control, home, self._admission.counts)
        self._uses = {self._warm: 0}
        self._room = Room(PROGRAMS)
        self._arrivals = arrivals
        self._spool: Spool | None = None
        self._wheel = Wheel(loop.time())
        self._visits: dict[Connection, Visit] = {}
        self._served = 0
        self._started = int(time.time())
        self._own_names: dict[bytes, bytes] = {}
        self.draining = False
        self.figures = Figures() if options.metrics else None
        self._swept = loop.time()
        loop.call_later(SWEEP, self._sweep)

    def connection(self) -> Connection:
        """For the loop, which calls it for each client."""
        return Connection(self)

    # What a connection calls

    def begin(self, connection: Connection, transport: asyncio.Transport) -> None:
        """See Host."""
        if not self._options.keep_ip_options:
            settle(transport.get_extra_info("socket"), self._options)
        peer = self._peer(transport)
        number = self._next_number()
        refused = self._admission.admit(peer.ip)
        if refused:
            transport.write(replies.TOO_MANY_CONNECTIONS.wire)
            transport.close()
            self.write_log([
                ("session", [("ip", peer.ip), ("rule", refused.encode()), ("verdict", b"refused"), ("code", 421)])])
            return
        visit = Visit(peer, number, self._warm)
        self.hold(connection, visit)
        if self._options.verbosity > 1:
            self._say_status()
            self.log.say(serverlog.start(visit.number, peer.ip))
        if self._options.host_lookup or self._options.local_name is None or self._options.banner:
            connection.start(self._look_up_first(connection, visit))
        else:
            self._admit(connection, visit)

    def hold(self, connection: Connection, visit: Visit) -> None:
        """Count a connection in, and watch over its deadlines."""
        self._visits[connection] = visit
        self._uses[visit.warm] += 1
        self._wheel.add(connection)

    def _next_number(self) -> int:
        self._served += 1
        return serverlog.number(os.getpid(), self._served)

    def end(self, connection: Connection, well: bool, fault: BaseException | None) -> None:
        """See Host."""
        if connection not in self._visits:
            return
        visit = self.let_go(connection, fault)
        self._admission.release(visit.peer.ip)
        if self._options.verbosity > 1:
            self.log.say(serverlog.end(visit.number, visit.exit_code or exit_code(well, fault)))
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
        peer = visit.peer
        if self._options.local_name is None:
            peer.local = await self._own_name(peer.local_ip, visit.warm)
        if self._options.host_lookup:
            peer.host = await self._host_name(peer.ip, visit.warm, paranoid=self._options.paranoid)
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
            visit.exit_code = DENIED
            return None
        return self.conversation(connection, visit, found)

    def conversation(self, connection: Connection, visit: Visit, found: Found) -> "Coroutine[object, None, bool]":
        """The session itself, with a client who may connect; it returns whether he said QUIT."""
        try:
            config = self._site.config(found.key, found.variables, self.now())
        except ControlError as error:
            self._complain(str(error).encode("ascii", "replace"))
            return turned_away(connection, replies.CONTROLS.wire)
        connection.limit(config.timeoutsmtpd, config.session_timeout)
        return self._conversation(connection, visit, config, found.variables).run()

    def _conversation(
            self, connection: Connection, visit: Visit, config: SharedConfig, variables: Mapping[str, bytes]) -> Conversation:
        peer = visit.peer
        journal = Journal(b"%d.%d" % (self._started, visit.number), self.write_log)
        seed = config.ruleseed and b"%b %b %b" % (config.ruleseed, peer.ip, peer.port or b"")
        environment = partial(surroundings, peer, variables)
        lookups = visit.warm.session(
            note=journal.note_lookup, early=connection.early, seed=seed, now=time.time(), environment=environment)
        policy = Policy(config, Mail(peer, config.control.variable), lookups, journal.note_rule)
        visit.session = Session(config.smtpgreeting, config.databytes, config.maxnotimpl)
        return Conversation(
            session=visit.session, policy=policy, peer=peer, wire=connection, queue=self._queue(config, environment, journal),
            journal=journal, own_fields=config.own_fields)

    def _queue(self, config: SharedConfig, environment: "Callable[[], Mapping[bytes, bytes]]", journal: Journal) -> "Queue":
        """Where the messages of a session go: into the spool of holdq from here, or to a program."""
        program = config.control.variable("QMAILQUEUE") or b"bin/qmail-queue"
        if self._arrivals is not None and program.rpartition(b"/")[2] == HOLDS:
            if self._spool is None:
                self._spool = Spool(self._arrivals(self._control), Committer())
            return CommittedQueue(self._spool, journal.note)
        return SpawnedQueue(self._room, os.fsdecode(program), os.fsdecode(config.holdqueue), environment, journal.note)

    # What handoff brings

    async def take(self, _kind: bytes, environment: dict[bytes, bytes], fds: dict[int, int]) -> int:
        """See Handler in handed.py: a connection that tcpserver has accepted, with what it has set; returns the exit code."""
        for number, fd in fds.items():
            if number:
                os.close(fd)
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        connection = socket.socket(fileno=fds[0])
        connection.setblocking(False)
        peer = env.peer(lambda name: environment.get(name.encode()))
        variables = {
            name.decode("ascii", "surrogateescape"): value for name, value in environment.items()
            if not name.startswith(FROM_TCPSERVER)}
        key = b"\0".join(sorted([b"%b=%b" % (os.fsencode(name), value) for name, value in variables.items()]))
        host = HandedHost(self, Visit(peer, self._next_number(), self._warm), Found(True, key, variables), over)
        await loop.connect_accepted_socket(lambda: Connection(host), connection)
        return int(await over)

    # Who is there

    def _peer(self, transport: asyncio.Transport) -> Peer:
        there, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        ip, local = env.unmapped(there[0].encode()), env.unmapped(here[0].encode())
        name = self._options.local_name or local
        return Peer(ip, None, None, name, local_ip=local, port=b"%d" % there[1], local_port=b"%d" % here[1])

    async def _own_name(self, ip: bytes, warm: Warm) -> bytes:
        """TCPLOCALHOST: what the DNS calls our address, or the address."""
        if ip not in self._own_names:
            self._own_names[ip] = await self._host_name(ip, warm, paranoid=False) or ip
        return self._own_names[ip]

    @staticmethod
    async def _host_name(ip: bytes, warm: Warm, *, paranoid: bool) -> bytes | None:
        """TCPREMOTEHOST; with -p only a name that leads back."""
        dns = warm.dns_of_session()
        try:
            names = await dns.ask(reverse(ip), "PTR")
            for name in names[:1]:
                if not paranoid or ip in await dns.ask(name, "AAAA" if b":" in ip else "A"):
                    return name
        except (LookupFailedError, ValueError):
            pass
        return None

    # The log

    def write_log(self, lines: "list[tuple[str, Pairs]]") -> None:
        """Write lines, and count them where somebody wants to know."""
        self.log.write_all(lines)
        if self.figures:
            for event, pairs in lines:
                self.figures.count(event, pairs)

    def _complain(self, why: bytes) -> None:
        self.write_log([("fault", [("why", why)])])

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
        self._own_names.clear()
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
            if visit.session is None or visit.session.idle:
                connection.interrupt(ShutdownError())

    def _sweep(self) -> None:
        now = self.now()
        if self.figures:
            self.figures.lag = max(self.figures.lag, now - self._swept - SWEEP)
        self._swept = now
        self._wheel.sweep(now)
        if self.draining:
            self.send_home()
        self.call_later(SWEEP, self._sweep)

    def close(self) -> None:
        """Nothing more is to come."""
        if self._spool is not None:
            self._spool.committer.close()
        for warm in self._uses:
            warm.close()
        self.log.flush()


async def turned_away(connection: Connection | None = None, words: bytes = b"") -> bool:
    """What a client hears who is not served: a refusal, or nothing."""
    if connection is not None:
        await connection.close(words, linger=True)
    return False


class HandedHost:
    """The Host of one connection that tcpserver has accepted: it has counted it, and asked its own rules."""

    def __init__(self, listener: Listener, visit: Visit, found: Found, over: "asyncio.Future[int]") -> None:
        self.buffer = listener.buffer
        self.now = listener.now
        self.sleep = listener.sleep
        self.call_later = listener.call_later
        self._listener = listener
        self._visit = visit
        self._found = found
        self._over = over

    def begin(self, connection: Connection, transport: asyncio.Transport) -> None:
        """See Host."""
        self._listener.hold(connection, self._visit)
        connection.start(self._listener.conversation(connection, self._visit, self._found))

    def end(self, connection: Connection, well: bool, fault: BaseException | None) -> None:
        """See Host."""
        self._listener.let_go(connection, fault)
        if not self._over.done():
            self._over.set_result(exit_code(well, fault))


def exit_code(well: bool, fault: BaseException | None) -> int:
    """What a process of its own would have exited with."""
    return 111 if fault is not None else 0 if well else 1


def surroundings(peer: Peer, variables: Mapping[str, bytes]) -> dict[bytes, bytes]:
    """The environment of the programs of a connection: what tcpserver would have set, and ours."""
    made = env.without()
    made.update({
        b"PROTO": b"TCP", b"TCPREMOTEIP": peer.ip, b"TCPLOCALIP": peer.local_ip, b"TCPREMOTEPORT": peer.port or b"",
        b"TCPLOCALPORT": peer.local_port or b"", b"TCPLOCALHOST": peer.local})
    if peer.host is not None:
        made[b"TCPREMOTEHOST"] = peer.host
    made.update({name.encode("ascii", "surrogateescape"): value for name, value in variables.items()})
    made.pop(b"QMAILQUEUE", None)
    return made


def serve(
        sockets: "list[socket.socket]", options: "Options", arrivals: "Callable[[Control], Arrive] | None" = None,
        service: socket.socket | None = None,
) -> int:
    """A worker, until SIGTERM; see Serve in workers.py.

    arrivals  see Listener
    service   where handoff comes, None for nowhere
    """
    return uvloop.run(_serve(sockets, options, arrivals, service))


async def _serve(
        sockets: "list[socket.socket]", options: "Options", arrivals: "Callable[[Control], Arrive] | None",
        service: socket.socket | None,
) -> int:
    home, control_directory = env.qmail_home(), env.control_directory()
    os.chdir(home)
    loop = asyncio.get_running_loop()
    listener = Listener(options, control_directory, home, arrivals)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_signal_handler(signal.SIGHUP, listener.reread)
    handed = None
    if service is not None:
        handed = Handed(service, listener.take, lambda event, pairs: listener.write_log([(event, pairs)]), kinds=(SESSION,))
        handed.start()
    servers: list[asyncio.AbstractServer] = [
        await loop.create_server(listener.connection, sock=each, backlog=options.backlog) for each in sockets]
    if listener.figures and options.metrics:
        address, port = options.metrics
        number = options.tally.place if options.tally else 0
        servers.append(await publish(listener.figures, lambda: listener.held, address, port + number))
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, 20, 100)
    await over.wait()
    for server in servers:
        server.close()
    if handed is not None:
        handed.close()
    await _drain(listener, options.drain)
    listener.close()
    return 0


async def _drain(listener: Listener, seconds: float) -> None:
    """Let transactions in hand come to their ends."""
    until = listener.now() + seconds
    listener.draining = True
    listener.send_home()
    while listener.held and listener.now() < until:
        await asyncio.sleep(0.05)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..qmail.logline import Pairs
    from .committed import Arrive
    from .conversation import Queue
    from .options import Options
