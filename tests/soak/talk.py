"""One connection of a client of the soak."""

import asyncio
import socket
import struct

PATIENCE = 30.0
"""Seconds for an answer; nothing that the soak does to the server may make it stand still for so long."""
TCP_REPAIR = 19


class GoneError(Exception):
    """The server has closed the connection, or reset it, or did not take it."""


class StalledError(GoneError):
    """There was no answer for PATIENCE."""


class Talk:
    """A connection from an address of ours.

    answer  the last one, all its lines
    """

    def __init__(self, source: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.source = source
        self.answer = b""
        self.writer = writer
        self._reader = reader

    async def reply(self) -> int:
        """The code of the next answer.

        Raises:
            GoneError: there is none.
        """
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            try:
                async with asyncio.timeout(PATIENCE):
                    line = await self._reader.readline()
            except TimeoutError as error:
                raise StalledError(f"no answer to {self.source}") from error
            except (OSError, ValueError) as error:
                raise GoneError from error
            if not line.endswith(b"\n"):
                raise GoneError
            lines.append(line)
        self.answer = b"".join(lines)
        return int(lines[-1][:3])

    async def say(self, data: bytes) -> None:
        """Send it.

        Raises:
            GoneError: it could not be.
        """
        try:
            self.writer.write(data)
            async with asyncio.timeout(PATIENCE):
                await self.writer.drain()
        except TimeoutError as error:
            raise StalledError(f"{self.source} cannot send") from error
        except OSError as error:
            raise GoneError from error

    async def say_slowly(self, data: bytes) -> None:
        """Send it, one byte at a time."""
        for at in range(len(data)):
            await self.say(data[at:at + 1])
            await asyncio.sleep(0.0005)

    async def ask(self, line: bytes) -> int:
        """Say a line, and hear the answer."""
        await self.say(line + b"\r\n")
        return await self.reply()

    def reset(self) -> None:
        """End it at once, by a RST."""
        self._option(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def vanish(self) -> None:
        """Be there no more, without a word to the other side, as after a power cut (tcp(7), TCP_REPAIR)."""
        self._option(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()

    def _option(self, level: int, name: int, value: int | bytes) -> None:
        connection = self.writer.get_extra_info("socket")
        try:
            connection.setsockopt(level, name, value)
        except (OSError, AttributeError):
            pass  # it has gone already


async def connected(port: int, source: str, window: int = 0) -> Talk:
    """A connection to the listener.

    window  bytes of the receive buffer, 0 for the usual

    Raises:
        GoneError: it does not take one.
    """
    connection = socket.socket()
    try:
        connection.setblocking(False)
        if window:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        connection.bind((source, 0))
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=65536)
    except (OSError, TimeoutError) as error:
        connection.close()
        raise GoneError from error
    except BaseException:
        connection.close()
        raise
    return Talk(source, reader, writer)
