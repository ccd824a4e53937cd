"""A Listener in the process of the test, and clients for it."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator

import uvloop

from qsmtpd.drivers.listener import Listener
from qsmtpd.drivers.options import Options
from tests.conftest import QmailHome
from tests.play import environment

OPTIONS = Options(limit=200, per_net=200, host_lookup=False, local_name=b"mx.bench.test")


@contextlib.contextmanager
def quiet(home: QmailHome, env: dict[str, bytes]) -> Iterator[None]:
    """The process as qsmtpd-listen has it: in QMAILHOME, its log in a file."""
    before, there = os.dup(2), os.getcwd()
    log = os.open(home.path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 2)
    os.chdir(home.path)
    try:
        with environment({"QMAILHOME": bytes(home.path), **env}):
            yield
    finally:
        os.dup2(before, 2)
        os.chdir(there)
        os.close(log)
        os.close(before)


def listening(
        home: QmailHome, client: Callable[[Listener, int], Awaitable[object]], options: Options = OPTIONS,
        env: dict[str, bytes] | None = None,
) -> object:
    """What the client's coroutine returns, which is given the port."""

    async def run() -> object:
        listener = Listener(options, str(home.control), str(home.path))
        server = await asyncio.get_running_loop().create_server(listener.connection, "127.0.0.1", 0)
        try:
            return await client(listener, server.sockets[0].getsockname()[1])
        finally:
            server.close()
            listener.close()

    with quiet(home, env or {}):
        return uvloop.run(run())


async def talk(port: int, said: list[bytes], pause: float = 0.0, source: str = "127.0.0.1") -> bytes:
    """All that is answered to what is said, with the connection closed by us behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    for piece in said:
        writer.write(piece)
        if pause:
            await writer.drain()
            await asyncio.sleep(pause)
    with contextlib.suppress(OSError):
        writer.write_eof()
    answer = b""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            answer += data
    writer.close()
    return answer
