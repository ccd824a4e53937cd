"""The session of a client who may connect: what the control files say, what the rules decide, where his messages go."""

import time
from functools import partial

from .. import replies
from ..checks.base import Mail
from ..policy import Policy
from ..qmail import env
from ..qmail.control import ControlError
from ..qmail.env import Peer
from ..session import Session
from .conversation import Conversation
from .journal import Journal
from .queues import CountedQueue


class Conversations:
    """Makes them, for all connections of a process."""

    __slots__ = ("_complain", "_now", "_queues", "_site", "_started", "_write")

    def __init__(
            self, site: "Site", queues: "Queues", now: "Callable[[], float]", write: "Log",
            complain: "Callable[[bytes], None]",
    ) -> None:
        """now    the loop's clock
        write     is given lines for the log
        complain  is told what is wrong with us
        """
        self._site = site
        self._queues = queues
        self._now = now
        self._write = write
        self._complain = complain
        self._started = int(time.time())

    def begin(self, connection: "Connection", visit: "Visit", found: "Found") -> "Coroutine[object, None, bool]":
        """The session on a connection, which returns whether the client said QUIT.

        found  what tcp.smtp says of him
        """
        try:
            config = self._site.config(found.key, found.variables, self._now())
        except ControlError as error:
            self._complain(str(error).encode("ascii", "replace"))
            return turned_away(connection, replies.CONTROLS.wire)
        connection.limit(config.timeoutsmtpd, config.session_timeout)
        return self._conversation(connection, visit, config, found.variables).run()

    def _conversation(
            self, connection: "Connection", visit: "Visit", config: "SharedConfig", variables: "Mapping[str, bytes]",
    ) -> Conversation:
        peer = visit.peer
        journal = Journal(f"{self._started}.{visit.number}", self._write)
        seed = config.ruleseed and b"%b %b %b" % (config.ruleseed, peer.ip, peer.port or b"")
        environment = partial(surroundings, peer, variables)
        lookups = visit.warm.session(
            note=journal.note_lookup, early=connection.early, seed=seed, now=time.time(), environment=environment)
        policy = Policy(config, Mail(peer, config.control.variable), lookups, journal.note_rule)
        visit.session = Session(config.replies.goodbye, config.databytes, config.maxnotimpl)
        return Conversation(
            session=visit.session, policy=policy, peer=peer, wire=connection, journal=journal, own_fields=config.own_fields,
            queue=partial(self._queue, visit, config, environment, journal))

    def _queue(
            self, visit: "Visit", config: "SharedConfig", environment: "Callable[[], dict[bytes, bytes]]", journal: Journal,
    ) -> "Queue":
        visit.queue = CountedQueue(self._queues, config, visit.peer.ip, environment, journal.note)
        return visit.queue


async def turned_away(connection: "Connection | None" = None, words: bytes = b"") -> bool:
    """What a client hears who is not served: a refusal, or nothing."""
    if connection is not None:
        await connection.close(words, linger=True)
    return False


def surroundings(peer: Peer, variables: "Mapping[str, bytes]") -> dict[bytes, bytes]:
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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from .clientrules import Found
    from .connection import Connection
    from .journal import Log
    from .queues import Queues
    from .reception import Queue
    from .site import SharedConfig, Site
    from .visit import Visit
