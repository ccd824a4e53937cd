"""What a worker does: a listener on its sockets, and what handoff brings, until SIGTERM."""

import asyncio
import gc
import os
import signal
import socket
from functools import partial

import uvloop

from ..qmail import env
from ..qmail.control import Control
from . import handedsessions
from .descriptors import reserve, wanted
from .handed import SESSION, Handed
from .listener import Listener
from .metrics import publish
from .options import Options
from .weight import share_arenas

YOUNG = 10_000
"""Objects that are new before the collector of cycles looks at them, for about 1 ms."""


def serve(
        sockets: list[socket.socket], options: Options, arrivals: "Arrivals | None" = None,
        service: socket.socket | None = None, takers: "Takers | None" = None,
) -> int:
    """A worker, until SIGTERM; see Serve in workers.py.

    arrivals  see Queues
    service   where handoff comes, None for nowhere
    takers    for each kind of what it brings beside sessions (handed.py) what makes the Handler, once the loop runs
    """
    return uvloop.run(_serve(sockets, options, arrivals, service, takers or {}))


async def _serve(
        sockets: list[socket.socket], options: Options, arrivals: "Arrivals | None", service: socket.socket | None,
        takers: "Takers",
) -> int:
    home, control_directory = env.qmail_home(), env.control_directory()
    os.chdir(home)
    share_arenas()
    reserve(wanted(options, service is not None))
    loop = asyncio.get_running_loop()
    listener = Listener(options, control_directory, home, arrivals)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_signal_handler(signal.SIGHUP, listener.reread)
    handed = _handed(service, listener, Control(control_directory), takers) if service is not None else None
    servers: list[asyncio.AbstractServer] = [
        await loop.create_server(listener.connection, sock=each, backlog=options.backlog) for each in sockets]
    if listener.figures and options.metrics:
        address, port = options.metrics
        number = options.tally.place if options.tally else 0
        servers.append(await publish(listener.figures, lambda: listener.held, address, port + number))
    collect_briefly()
    await over.wait()
    for server in servers:
        server.close()
    if handed is not None:
        handed.close()
    await _drain(listener, handed, options.drain)
    listener.close()
    return 0


def collect_briefly() -> None:
    """Have the collector of cycles stop nobody for more than 10 ms: see gc.

    There are hardly any cycles.  With 6,500 connections a look at 50,000 objects took 20 ms.  So what is there now is left out
    for good, a look takes in YOUNG, and what was looked at once is left out until a million more have come.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 100, 100)


def _handed(service: socket.socket, listener: Listener, control: Control, takers: "Takers") -> Handed:
    """What takes sessions, and whatever else there is a handler for."""
    handlers: dict[bytes, Handler] = {kind: make(control, listener.note) for kind, make in takers.items()}
    handlers[SESSION] = partial(handedsessions.take, listener)
    handed = Handed(service, handlers, listener.note)
    handed.start()
    return handed


async def _drain(listener: Listener, handed: Handed | None, seconds: float) -> None:
    """Let transactions in hand come to their ends, for so many seconds; what is left then is broken off."""
    until = listener.now() + seconds
    listener.draining = True
    listener.send_home()
    while (listener.held or (handed is not None and handed.running)) and listener.now() < until:
        await asyncio.sleep(0.05)
    listener.cut_off()
    await asyncio.sleep(0)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .handed import Handler, Note
    from .queues import Arrivals

    Takers = Mapping[bytes, Callable[[Control, Note], Handler]]
