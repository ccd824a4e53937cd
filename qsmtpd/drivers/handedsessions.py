"""Connections that tcpserver has accepted and handoff brings (handed.py), as the listener's own: he has counted them already,
asked his rules, and set what the sessions are to have.
"""

import asyncio
import os
import socket
from functools import partial

from .. import replies
from ..qmail import env
from .clientrules import Found
from .connection import Connection
from .conversations import turned_away
from .visit import Visit

FROM_TCPSERVER = (b"PROTO", b"TCP", b"PATH", b"SHLVL", b"PWD", b"OLDPWD", b"_", b"QMAILHOME", b"CONTROLDIR")
"""The beginnings of names that say nothing about what tcp.smtp has set."""


async def take(listener: "Listener", environment: dict[bytes, bytes], fds: dict[int, int], _pid: int) -> int:
    """See Handler in handed.py: the session from its greeting to its end; returns the exit code."""
    for number, fd in fds.items():
        if number:
            os.close(fd)
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    connection = socket.socket(fileno=fds[0])
    connection.setblocking(False)
    host = HandedHost(listener, listener.visit(env.peer(lambda name: environment.get(name.encode()))), found(environment), over)
    await loop.connect_accepted_socket(partial(Connection, host), connection)
    return int(await over)


def found(environment: dict[bytes, bytes]) -> Found:
    """What tcp.smtp has said of the client, so far as tcpserver hands it on."""
    variables = {
        name.decode("ascii", "surrogateescape"): value for name, value in environment.items()
        if not name.startswith(FROM_TCPSERVER)}
    key = b"\0".join(sorted([b"%b=%b" % (os.fsencode(name), value) for name, value in variables.items()]))
    return Found(True, key, variables)


class HandedHost:
    """The Host of one such connection."""

    def __init__(self, listener: "Listener", visit: Visit, found: Found, over: "asyncio.Future[int]") -> None:
        """over  gets the exit code."""
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
        lacking = self._listener.budget.refusal()
        if lacking:
            self._listener.note_refused(self._visit.peer, lacking)
            connection.start(turned_away(connection, replies.TOO_BUSY.wire))
            return
        connection.start(self._listener.conversations.begin(connection, self._visit, self._found))

    def end(self, connection: Connection, well: bool, fault: BaseException | None) -> None:
        """See Host."""
        self._listener.let_go(connection, fault)
        if not self._over.done():
            self._over.set_result(self._visit.exit_code(well, fault))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .listener import Listener
