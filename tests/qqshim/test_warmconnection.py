"""The connection of a loop is tested beside the one that blocks, in test_connection.py; here is what only a loop has."""

import asyncio
import socket
import time
from pathlib import Path

from qqshim.connection import address
from qqshim.warmconnection import WarmConnection
from tests.scanners import lying


def test_nobody_else_waits(tmp_path: Path) -> None:
    """While ten scanners do not answer, and one gets a file from the disk, the loop is never late."""
    data = tmp_path / "data"
    data.write_bytes(b"x" * (8 << 20))

    async def talk(where: str, silent: bool) -> int:
        with WarmConnection(address("x", where.encode()), 5.0) as connection, data.open("rb") as file:
            await connection.open()
            await connection.write_file(file.fileno(), 0, 1000 if silent else 8 << 20)
            connection.end_of_writing()
            return len(await connection.read_to_end(100))

    async def all_at_once() -> float:
        async def watch() -> float:
            late, before = 0.0, time.monotonic()
            while not over.is_set():
                await asyncio.sleep(0.005)
                late, before = max(late, time.monotonic() - before), time.monotonic()
            return late
        over = asyncio.Event()
        watching = asyncio.ensure_future(watch())
        answers = await asyncio.gather(*[talk(slow.unix, True) for _ in range(10)], talk(reads.tcp, False))
        over.set()
        assert answers == [2] * 11
        return await watching

    def read(peer: socket.socket) -> None:
        while peer.recv(65536):
            pass
        peer.sendall(b"ok")

    def think(peer: socket.socket) -> None:
        time.sleep(0.3)
        read(peer)

    with lying(tmp_path / "slow", think) as slow, lying(tmp_path / "reads", read) as reads:
        assert asyncio.run(all_at_once()) < 0.15
