"""The floor of a server in Python that stays: fixed replies on uvloop, nothing looked up, no log.  Prints its port."""

import asyncio
import socket

import uvloop

EHLO = b"250-mx.bench.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


class Session(asyncio.Protocol):
    """What replies.c says, from one process."""

    __slots__ = ("in_data", "rest", "transport")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is no subclass
        self.transport, self.rest, self.in_data = transport, b"", False
        transport.write(b"220 mx.bench.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\r\n")
        replies = b"".join([self.reply(line) for line in lines])
        if replies:
            self.transport.write(replies)
        if replies.startswith(b"221"):
            self.transport.close()

    def reply(self, line: bytes) -> bytes:
        """To a line of the client, b"" to one of a message."""
        if self.in_data:
            self.in_data = line != b"."
            return b"" if self.in_data else b"250 2.0.0 ok\r\n"
        verb = line[:1]
        if verb == b"R":
            return b"250 2.1.5 ok\r\n" if b"<good" in line else b"550 5.1.1 no such user\r\n"
        self.in_data = verb == b"D"
        return {b"E": EHLO, b"D": b"354 go ahead\r\n", b"Q": b"221 2.0.0 bye\r\n"}.get(verb, b"250 2.0.0 ok\r\n")


async def serve() -> None:
    """Until SIGTERM."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = await asyncio.get_running_loop().create_server(Session, sock=listener, backlog=1024)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
