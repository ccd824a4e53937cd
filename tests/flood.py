"""Many SMTP clients at once, each from an address of its own in 127.0.0.0/8: some wait, some harvest, some have good mail.

    python -m tests.flood PORT SECONDS AT_ONCE      harvesters, in a process of their own; prints what became of them, as JSON
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

ROOT = Path(__file__).parent.parent

IDLE, HARVEST, GOOD = 16, 32, 64
"""The second byte of addresses."""
NETWORKS = {IDLE: 250, HARVEST: 40, GOOD: 200}
"""Of how many /24 they come."""
AT_ONCE = 200
"""Clients that connect at the same time."""
PATIENCE = 60.0
"""Seconds for all that a client has to say."""
GUESSES = 20

Step = tuple[bytes, int]
"""What is said, and the code of the answer without which the client gives up."""

BEGIN: tuple[Step, ...] = ((b"", 220), (b"EHLO client.test\r\n", 250))
END: tuple[Step, ...] = ((b"QUIT\r\n", 221),)
SENDER: tuple[Step, ...] = ((b"MAIL FROM:<sender@client.test>\r\n", 250),)
ENVELOPE: tuple[Step, ...] = (*BEGIN, *SENDER, (b"RCPT TO:<good@bench.test>\r\n", 250), (b"DATA\r\n", 354))


def source(kind: int, number: int) -> str:
    """The address of a client: his neighbours in number come from other networks."""
    network, host = number % NETWORKS[kind], number // NETWORKS[kind]
    return f"127.{kind}.{network}.{host % 254 + 1}"


def harvest(number: int) -> tuple[Step, ...]:
    """The session of a client who guesses names."""
    return (*BEGIN, *SENDER, *((b"RCPT TO:<no%d.%d@bench.test>\r\n" % (number, i), 550) for i in range(GUESSES)), *END)


def delivery(number: int) -> tuple[Step, ...]:
    """The session of one who has a message, up to its end."""
    return (*ENVELOPE, (b"Subject: %d\r\n\r\n%b.\r\n" % (number, (b"x" * 62 + b"\r\n") * 32), 250))


class Client(asyncio.Protocol):
    """Goes through steps; is_lost says whether the other side has closed."""

    def __init__(self) -> None:
        self.is_lost = False
        self._rest = b""
        self._heard: list[bytes] = []
        self._steps: list[Step] = []
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    async def take(self, steps: Sequence[Step]) -> None:
        """Say and hear all that.

        Raises:
            ConnectionError: the answer was another, or none.
        """
        self._steps = list(reversed(steps))
        self._done = asyncio.get_running_loop().create_future()
        self._say()
        self._listen()
        await self._done

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        self._heard += [line for line in lines if line[3:4] != b"-"]
        self._listen()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._fail("closed", self._steps[-1][0] if self._steps else b"")

    def _say(self) -> None:
        said = self._steps[-1][0]
        if not self.is_lost:
            self.transport.write(said)
        elif not self._heard:
            self._fail("closed", said)

    def _listen(self) -> None:
        """What comes before somebody wants to know waits for him: a greeting, or the refusal of a connection."""
        while self._heard and self._steps:
            self._hear(self._heard.pop(0))

    def _hear(self, line: bytes) -> None:
        said, code = self._steps.pop()
        if line[:3] != b"%d" % code:
            self._fail(line.decode("ascii", "replace"), said)
            return
        if self._steps:
            self._say()
        elif self._done and not self._done.done():
            self._done.set_result(None)

    def _fail(self, heard: str, said: bytes) -> None:
        self._steps = []
        if self._done and not self._done.done():
            self._done.set_exception(ConnectionError(f"{said[:20].decode()!r}: {heard}"))


async def connected(port: int, address: str) -> Client:
    """A client from an address.

    Raises:
        OSError: nobody takes him.
    """
    client = Client()
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port, local_addr=(address, 0))
    return client


@asynccontextmanager
async def visiting(port: int, address: str) -> AsyncIterator[Client]:
    """A client from an address, who has gone when the statement is over."""
    client = await connected(port, address)
    try:
        yield client
    finally:
        client.transport.abort()


async def attempt(of: Awaitable[Any]) -> str:
    """What went wrong with it; "" when nothing did."""
    try:
        await asyncio.wait_for(of, PATIENCE)
    except TimeoutError:
        return "no end"
    except OSError as error:
        return str(error)
    return ""


async def all_of(work: Sequence[Callable[[], Awaitable[Any]]], at_once: int = AT_ONCE) -> Counter[str]:
    """Do it all, so many at once; returns what went wrong, how often."""
    places = asyncio.Semaphore(at_once)

    async def one(what: Callable[[], Awaitable[Any]]) -> str:
        async with places:
            return await attempt(what())

    wrong = Counter(await asyncio.gather(*map(one, work)))
    del wrong[""]
    return wrong


class Crowd:
    """Clients who have said EHLO, and now wait."""

    def __init__(self, port: int, addresses: Sequence[str]) -> None:
        self.clients: list[Client] = []
        self._port = port
        self._addresses = addresses

    async def gather(self) -> Counter[str]:
        """Let them come; returns why not all could."""
        return await all_of([lambda address=address: self._one(address) for address in self._addresses])

    async def _one(self, address: str) -> None:
        client = await connected(self._port, address)
        self.clients.append(client)
        await client.take(BEGIN)

    @property
    def lost(self) -> int:
        return sum(client.is_lost for client in self.clients)

    async def leave(self) -> Counter[str]:
        """Let them say QUIT; returns why not all could."""
        return await all_of([lambda client=client: client.take(END) for client in self.clients])


@asynccontextmanager
async def crowd(port: int, addresses: Sequence[str]) -> AsyncIterator[Crowd]:
    """A crowd, which has gone when the statement is over."""
    of = Crowd(port, addresses)
    try:
        yield of
    finally:
        for client in of.clients:
            client.transport.abort()


def idle(size: int) -> list[str]:
    """Where those come from who wait."""
    return [source(IDLE, number) for number in range(size)]


class Mail(NamedTuple):
    """What became of good mail.

    seconds  from the connection to the 250 of each message
    wrong    why there was none, how often
    """

    seconds: list[float]
    wrong: Counter[str]

    def percentile(self, part: float) -> float:
        """0.99: all but a hundredth were as quick."""
        return sorted(self.seconds)[int(part * (len(self.seconds) - 1) + 0.5)]


async def good_mail(port: int, seconds: float, interval: float = 0.1) -> Mail:
    """A message each interval, whether the one before is through or not."""
    mail = Mail([], Counter())

    async def deliver(number: int) -> None:
        async with visiting(port, source(GOOD, number)) as client:
            await client.take(delivery(number))
            mail.seconds.append(time.monotonic() - begun[number])
            await client.take(END)

    async def one(number: int) -> None:
        mail.wrong[await attempt(deliver(number))] += 1

    begun: list[float] = []
    running = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        begun.append(now)
        running.append(asyncio.ensure_future(one(len(begun) - 1)))
        await asyncio.sleep(interval)
    await asyncio.gather(*running)
    del mail.wrong[""]
    return mail


async def _harvesters(port: int, seconds: float, at_once: int) -> dict[str, Any]:
    end = time.monotonic() + seconds
    numbers, outcome = count(), Counter[str]()

    async def session(number: int) -> None:
        async with visiting(port, source(HARVEST, number)) as client:
            await client.take(harvest(number))

    async def one() -> None:
        while time.monotonic() < end:
            outcome[await attempt(session(next(numbers)))] += 1

    await asyncio.gather(*(one() for _ in range(at_once)))
    return {"sessions": outcome.pop("", 0), "wrong": outcome}


@contextmanager
def harvesters(port: int, seconds: float, at_once: int = 50) -> Iterator[dict[str, Any]]:
    """A flood of them beside what the with statement holds; then the dictionary has sessions, and wrong: why, how often."""
    found: dict[str, Any] = {}
    command = [sys.executable, "-m", "tests.flood", *map(str, (port, seconds, at_once))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield found
            found.update(json.loads(process.communicate(timeout=seconds + PATIENCE)[0]))
        finally:
            process.kill()


def run(of: Awaitable[Any]) -> Any:
    """A coroutine, on uvloop; what it has closed gets the time to be."""
    async def wait() -> Any:
        try:
            return await of
        finally:
            await asyncio.sleep(0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(wait())


def memory(pid: int) -> int:
    """The proportional set size of a process, in bytes: what it shares is divided by who shares it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    print(json.dumps(run(_harvesters(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))))
