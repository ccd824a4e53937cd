"""The log of a process of many sessions: real pipes."""

import asyncio
import os
from collections.abc import Callable

import pytest

from qsmtpd.drivers import logpipe
from qsmtpd.drivers.logpipe import LogPipe


def played(use: Callable[[LogPipe, int], object], seconds: float = 0.3) -> bytes:
    """What the reader of the log gets; `use` is given the log and the reader's end."""
    reader, writer = os.pipe()

    async def run() -> bytes:
        log = LogPipe(asyncio.get_running_loop(), writer)
        use(log, reader)
        await asyncio.sleep(seconds)
        os.set_blocking(reader, False)
        found = b""
        while True:
            try:
                found += os.read(reader, 1 << 20)
            except BlockingIOError:
                return found
            await asyncio.sleep(0.06)

    try:
        return asyncio.run(run())
    finally:
        os.close(reader)
        os.close(writer)


def test_lines_are_put_together() -> None:
    def use(log: LogPipe, reader: int) -> None:
        log.write_all([("rcpt", [("id", b"1")]), ("session", [("id", b"1"), ("ip", b"192.0.2.1")])])
        log.say(b"tcpserver: status: 1/40\n")

    assert played(use) == b"rcpt id=1\nsession id=1 ip=192.0.2.1\ntcpserver: status: 1/40\n"


def test_a_reader_who_does_not_read_holds_up_nobody_and_gets_all_when_he_does() -> None:
    """A137: the pipe holds 64 KiB; the loop goes on."""
    lines = [b"line %06d %b\n" % (number, b"x" * 80) for number in range(5000)]

    def use(log: LogPipe, reader: int) -> None:
        for line in lines:
            log.say(line)

    assert played(use) == b"".join(lines)


def test_what_has_no_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    logs: list[LogPipe] = []
    monkeypatch.setattr(logpipe, "WAITING_MAX", 1000)

    def use(log: LogPipe, reader: int) -> None:
        logs.append(log)
        for _ in range(30):
            log.say(b"x" * 99 + b"\n")

    assert played(use) == (b"x" * 99 + b"\n") * 10
    assert logs[0].lost == 20


def test_a_reader_who_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    async def run() -> int:
        log = LogPipe(asyncio.get_running_loop(), writer)
        log.say(b"x\n")
        await asyncio.sleep(0.05)
        return log.lost

    assert asyncio.run(run()) == 1
    os.close(writer)
