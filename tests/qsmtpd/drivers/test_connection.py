"""One connection of many, on real sockets: reading, writing, waiting, deadlines, the end."""

import asyncio
import math
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine

import pytest
import uvloop

from qsmtpd.drivers.connection import INPUT_MAX, LINGER, Connection
from qsmtpd.drivers.ends import ShutdownError
from qsmtpd.drivers.wheel import Wheel

BUFFER = 65536
Talk = Callable[[Connection], Coroutine[object, None, bool]]


class Host:
    """A process with one kind of conversation."""

    def __init__(self, talk: Talk, timeout: float = 5.0, session_timeout: float = math.inf) -> None:
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(BUFFER))
        self.now = self.loop.time
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.call_later = self.loop.call_later
        self.wheel = Wheel(self.now())
        self.ended = self.loop.create_future()
        self._talk = talk
        self._timeouts = timeout, session_timeout

    def begin(self, connection: Connection, transport: asyncio.Transport) -> None:
        connection.limit(*self._timeouts)
        connection.start(self._talk(connection))
        self.wheel.add(connection)

    def end(self, connection: Connection, well: bool, fault: BaseException | None) -> None:
        self.ended.set_result(fault)

    async def sweep(self) -> None:
        while not self.ended.done():
            await asyncio.sleep(0.1)
            self.wheel.sweep(self.now())


def played(
        talk: Talk, client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]],
        timeout: float = 5.0, session_timeout: float = math.inf,
) -> tuple[object, BaseException | None]:
    """What the client's coroutine returns, and the fault with which the conversation ended."""

    async def run() -> tuple[object, BaseException | None]:
        host = Host(talk, timeout, session_timeout)
        sweeping = asyncio.create_task(host.sweep())
        server = await host.loop.create_server(lambda: Connection(host), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        said = await client(reader, writer)
        writer.close()
        fault = await asyncio.wait_for(host.ended, 10)
        await sweeping
        server.close()
        return said, fault

    return uvloop.run(run())


async def read(connection: Connection) -> bytes:
    """As a conversation does."""
    data = connection.read()
    while data is None:
        await connection.wait()
        data = connection.read()
    return data


async def echo(connection: Connection) -> bool:
    while data := await read(connection):
        await connection.write(data.upper())
    await connection.close(b"bye", linger=False)


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"hello ")
    await asyncio.sleep(0.05)
    writer.write(b"world")
    writer.write_eof()
    return await reader.read()


def test_bytes_go_both_ways_and_the_end_is_seen() -> None:
    assert played(echo, hello) == (b"HELLO WORLDbye", None)


def test_futures_are_waited_for_and_bytes_meanwhile_kept() -> None:
    async def slow(connection: Connection) -> bool:
        data = await read(connection)
        await asyncio.sleep(0.1)
        await asyncio.sleep(0)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, future.set_result, b"!")
        await connection.write(data + await read(connection) + await future)
        await connection.close(b"", linger=False)

    assert played(slow, hello) == (b"hello world!", None)


def test_the_fault_of_a_future_is_the_conversations() -> None:
    async def failing(connection: Connection) -> bool:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, ValueError("no"))
        try:
            await future
        except ValueError:
            await connection.write(b"seen")
        await connection.close(b"", linger=False)

    assert played(failing, hello) == (b"seen", None)


def test_a_fault_ends_one_session() -> None:
    async def broken(connection: Connection) -> bool:
        await read(connection)
        raise RuntimeError("a bug")

    said, fault = played(broken, hello)

    assert (said, repr(fault)) == (b"", "RuntimeError('a bug')")


@pytest.mark.parametrize("timeouts", [(0.5, math.inf), (60.0, 0.5)])
def test_a_silent_client_meets_its_deadline(timeouts: tuple[float, float]) -> None:
    """A34: of the command, and of the session."""

    async def patient(connection: Connection) -> bool:
        try:
            await read(connection)
        except TimeoutError:
            await connection.close(b"timeout", linger=True)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        return await reader.read()

    assert played(patient, silent, *timeouts) == (b"timeout", None)


def test_a_byte_now_and_then_renews_nothing() -> None:
    """A34."""

    async def reading(connection: Connection) -> bool:
        try:
            while await read(connection):
                pass
        except TimeoutError:
            await connection.close(b"timeout", linger=True)  # as a session does: a byte that comes now must not eat it
        return 0

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"x")
            await asyncio.sleep(0.2)
        return await answer

    assert played(reading, trickle, timeout=1.0) == (b"timeout", None)


def test_a_client_that_never_reads_is_waited_for_and_then_left() -> None:
    """A35: what it is sent does not grow."""
    sent = []

    async def talker(connection: Connection) -> bool:
        try:
            while True:
                await connection.write(b"y" * 100_000)
                sent.append(1)
        except TimeoutError:
            await connection.close(b"", linger=False)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.sleep(2.5)

    assert played(talker, deaf, timeout=1.0)[1] is None
    assert len(sent) < 200


def test_what_a_client_does_not_read_is_not_kept_for_him() -> None:
    """A35: who has been left holds neither a descriptor of ours nor memory."""
    sent = []

    async def talker(connection: Connection) -> bool:
        try:
            while True:
                sent.append(1)
                await connection.write(b"y" * 100_000)
        except TimeoutError:
            await connection.close(b"", linger=False)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        writer.transport.pause_reading()
        await asyncio.sleep(1.0 + LINGER + 1.0)
        writer.transport.resume_reading()
        read = 0
        try:
            while data := await asyncio.wait_for(reader.read(65536), 5):
                read += len(data)
        except ConnectionResetError:
            pass
        return read

    read, fault = played(talker, deaf, timeout=0.5)
    assert fault is None
    assert read < len(sent) * 100_000


async def busy_with_each_slice(connection: Connection) -> bool:
    """Two milliseconds of work for each piece."""
    while await read(connection):
        time.sleep(0.002)
    await connection.close(b"done", linger=False)


def test_a_client_who_pipelines_lets_others_go_first() -> None:
    """A35, A37: the loop turns meanwhile, however much there is to read."""
    late: list[float] = []

    async def pipelines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        loop = asyncio.get_running_loop()
        writer.write(b"z" * 500_000)
        writer.write_eof()
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            began = loop.time()
            await asyncio.sleep(0.001)
            late.append(loop.time() - began)
        return await answer

    assert played(busy_with_each_slice, pipelines) == (b"done", None)
    # 123 pieces of at least 2 ms each, and no turn of the loop had many of them.
    assert len(late) > 20


def test_who_waits_for_his_turn_can_be_ended() -> None:
    ended: list[float] = []

    async def told(connection: Connection) -> bool:
        asyncio.get_running_loop().call_later(0.1, lambda: connection.interrupt(ShutdownError()))
        try:
            while await read(connection):
                time.sleep(0.002)
        except ShutdownError:
            ended.append(connection.bytes_in)
        await connection.close(b"going down", linger=True)

    async def pipelines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"z" * 5_000_000)
        return await reader.read()

    assert played(told, pipelines) == (b"going down", None)
    assert ended[0] < 5_000_000


def test_a_busy_conversation_is_not_buried_in_input() -> None:
    """A39: not much more than INPUT_MAX is taken before it is looked at."""
    seen: list[int] = []

    async def busy(connection: Connection) -> bool:
        await read(connection)
        await asyncio.sleep(0.5)
        seen.append(connection.bytes_in)
        while await read(connection):
            pass
        seen.append(connection.bytes_in)
        await connection.close(b"", linger=False)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"z" * 5_000_000)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    assert played(busy, flood)[1] is None
    assert seen[0] <= INPUT_MAX + BUFFER
    assert seen[1] == 5_000_000


def test_who_has_gone_is_told_to_the_conversation() -> None:
    noticed: list[str] = []

    async def waiting(connection: Connection) -> bool:
        try:
            while True:
                await connection.write(b"a" * 1000)
                await asyncio.sleep(0.02)
        except ConnectionError:
            noticed.append("gone")
            await connection.close(b"more", linger=True)

    async def vanish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert played(waiting, vanish)[1] is None
    assert noticed == ["gone"]


def test_the_last_words_are_read_though_the_client_goes_on_sending() -> None:
    """A38: no reset eats the refusal."""

    async def refuse(connection: Connection) -> bool:
        await read(connection)
        await connection.close(b"554 no\r\n", linger=True)

    async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(20):
            writer.write(b"more and more\r\n" * 1000)
            await asyncio.sleep(0.01)
        answer = await reader.read()
        writer.write_eof()
        return answer

    assert played(refuse, sender) == (b"554 no\r\n", None)


@pytest.mark.parametrize(("pause", "early"), [(0.0, True), (0.6, False)])
def test_who_speaks_before_the_greeting(pause: float, early: bool) -> None:
    """A18."""
    found: list[bool] = []

    async def greet(connection: Connection) -> bool:
        found.append(await connection.early(0.3))
        await connection.write(b"220\r\n")
        await read(connection)
        await connection.close(b"", linger=False)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(pause)
        writer.write(b"EHLO x\r\n")
        await reader.readline()

    assert played(greet, client)[1] is None
    assert found == [early]
