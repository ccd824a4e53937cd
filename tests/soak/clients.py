"""The clients of a soak: those who send mail as they should, and all the others."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from .parcels import Ledger, Parcel
from .talk import PATIENCE, GoneError, StalledError, Talk, connected

BACKLOG = 300
"""Messages that wait for their next attempt; with more nobody writes new ones."""
LARGE = 300_000
"""Bytes of a message that is not kept in memory."""
TOO_LARGE = 500_000
"""Bytes of a message that is beyond control/databytes."""

SPOOL, PROGRAM, GREY = "spool", "program", "grey"
"""Where a message goes, and whether it is greylisted: by where it comes from (Site.tcp_smtp)."""


class Load:
    """All clients.

    active  connections that stand
    said    how often each code was said to good mail, and what else has happened
    """

    def __init__(self, port: int, seed: int, ledger: Ledger) -> None:
        self.ledger = ledger
        self.said: Counter[str] = Counter()
        self.active = 0
        self._port = port
        self._chance = random.Random(seed)
        self._open = asyncio.Event()
        self._later: list[Parcel] = []
        self._tasks: list[asyncio.Task[None]] = []

    # Who there is

    def start(self, mailers: int) -> None:
        """Begin, so many that send good mail, and a few of each other kind."""
        kinds: list[tuple[Callable[[], Awaitable[None]], int, float]] = [
            (self._mail, mailers, 0.3), (self._byte_by_byte, 2, 0.5), (self._harvest, 3, 0.3), (self._never_read, 2, 1.0),
            (self._cut, 2, 0.2), (self._half_open, 3, 1.0), (self._too_large, 1, 0.5), (self._listed, 1, 0.3),
            (self._denied, 1, 0.5), (self._flood, 1, 4.0)]
        self._open.set()
        for behave, number, pause in kinds:
            self._tasks += [asyncio.create_task(self._again_and_again(behave, pause)) for _ in range(number)]

    async def stop(self) -> None:
        """No more of them."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)
        await asyncio.sleep(0.2)

    async def quiet(self, seconds: float) -> None:
        """Nobody begins anything; wait for all connections to end.

        Raises:
            TimeoutError: they did not.
        """
        self._open.clear()
        async with asyncio.timeout(seconds):
            while self.active:
                await asyncio.sleep(0.05)

    def go_on(self) -> None:
        self._open.set()

    async def _again_and_again(self, behave: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0, pause))
            await self._open.wait()
            try:
                await behave()
            except StalledError as error:
                self.ledger.wrong.append(f"a client has waited too long: {error}")
            except GoneError:
                self.said["gone"] += 1

    # Good mail

    def source(self, way: str) -> str:
        """An address for it."""
        first = {SPOOL: self._chance.randint(1, 30), PROGRAM: 40, GREY: 50}[way]
        return f"127.{first}.{self._chance.randint(0, 9 if way == GREY else 99)}.{self._chance.randint(1, 5)}"

    def parcel(self, way: str, size: int = 0) -> Parcel:
        """A new message."""
        large = self._chance.random() < 0.02
        size = size or (LARGE if large else int(200 * 2 ** self._chance.uniform(0, 7)))
        return self.ledger.new(self.source(way), size, self._chance.choice((1, 1, 1, 3)))

    async def _mail(self) -> None:
        """The next that waits, or some new ones, in one session."""
        now = asyncio.get_running_loop().time()
        due = next((parcel for parcel in self._later if parcel.due <= now), None)
        if due is not None:
            self._later.remove(due)
            parcels = [due]
        elif len(self._later) < BACKLOG:
            way = self._chance.choice((SPOOL, SPOOL, SPOOL, PROGRAM, GREY))
            first = self.parcel(way)
            parcels = [first]
            for _ in range(self._chance.choice((0, 0, 1, 2))):
                parcels.append(self.parcel(way))
                parcels[-1].source = first.source
        else:
            return
        try:
            await self.deliver(parcels, pipelined=self._chance.random() < 0.6)
        finally:
            self._put_off(parcels)

    def _put_off(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            if not parcel.promised and not parcel.refused:
                parcel.due = asyncio.get_running_loop().time() + self._chance.uniform(0.5, 4.0)
                self._later.append(parcel)

    async def _byte_by_byte(self) -> None:
        parcel = self.parcel(self._chance.choice((SPOOL, PROGRAM)), size=100)
        try:
            await self.deliver([parcel], pipelined=self._chance.random() < 0.5, slowly=True)
        finally:
            self._put_off([parcel])

    async def deliver(self, parcels: list[Parcel], *, pipelined: bool, slowly: bool = False) -> None:
        """Send messages in one session; each knows afterwards what has become of it.

        Raises:
            GoneError: the connection has ended, or we have ended it.
        """
        talk = await self._connect(parcels[0].source)
        try:
            await self._expect(talk, parcels[0], await talk.reply(), 220)
            await self._expect(talk, parcels[0], await talk.ask(b"EHLO client.far.test"), 250)
            for parcel in parcels:
                await self._deliver(talk, parcel, pipelined=pipelined, slowly=slowly)
            await talk.ask(b"QUIT")
        finally:
            self._end(talk)

    async def _deliver(self, talk: Talk, parcel: Parcel, *, pipelined: bool, slowly: bool) -> None:
        lines = [b"MAIL FROM:<%b>" % parcel.sender, *(b"RCPT TO:<%b>" % each for each in parcel.recipients), b"DATA"]
        wanted = [250] * (len(lines) - 1) + [354]
        say = talk.say_slowly if slowly else talk.say
        if pipelined:
            await say(b"".join([line + b"\r\n" for line in lines]))
        for line, code in zip(lines, wanted, strict=True):
            if not pipelined:
                await say(line + b"\r\n")
            await self._expect(talk, parcel, await talk.reply(), code)
        text = parcel.wire(self.ledger.seed)
        await say(text[:-3])
        parcel.unsure += 1
        await talk.say(text[-3:])
        code = await talk.reply()
        parcel.unsure -= 1
        await self._expect(talk, parcel, code, 250)
        parcel.promised = True

    async def _expect(self, talk: Talk, parcel: Parcel, code: int, wanted: int) -> None:
        """Go on if the answer is the wanted one; otherwise end the session, and remember a refusal."""
        self.said[str(code)] += 1
        if code == wanted:
            return
        if code >= 500:
            parcel.refused = talk.answer
            self.ledger.refuse(parcel, talk.answer)
        raise GoneError(talk.answer)

    async def accepted(self, way: str, seconds: float) -> bool:
        """Whether new good mail is accepted within so many seconds, as its sender tries again and again."""
        parcel = self.ledger.new(self.source(way), 500)
        try:
            async with asyncio.timeout(seconds):
                while not parcel.promised and not parcel.refused:
                    try:
                        await self.deliver([parcel], pipelined=True)
                    except GoneError:
                        await asyncio.sleep(0.2)
        except TimeoutError:
            self._put_off([parcel])
        return parcel.promised

    async def try_once(self, way: str, size: int) -> bytes:
        """What new good mail is answered at last, b"" for nothing."""
        parcel = self.ledger.new(self.source(way), size)
        try:
            await self.deliver([parcel], pipelined=True)
        except GoneError as error:
            self._put_off([parcel])
            return error.args[0] if error.args and isinstance(error.args[0], bytes) else b""
        return b"250"

    # The others

    async def _harvest(self) -> None:
        """Guesses recipients; one in a session is there, and gets nothing."""
        guesses = b"".join([b"RCPT TO:<nobody%d@bench.test>\r\n" % self._chance.randrange(10**6) for _ in range(20)])
        async with Visitor(self, 60) as talk:
            await talk.say(b"EHLO x\r\nMAIL FROM:<a@far.test>\r\n" + guesses + b"QUIT\r\n")
            while True:
                self.said["harvester " + str(await talk.reply())] += 1

    async def _never_read(self) -> None:
        """A35: asks for much, and never reads."""
        async with Visitor(self, 61, window=2304) as talk:
            talk.writer.transport.pause_reading()
            talk.writer.write(b"EHLO x\r\nMAIL FROM:<a@far.test>\r\n" + b"RCPT TO:<user1@bench.test>\r\n" * 8000)
            await self._wait(self._chance.uniform(2, 15))
            talk.reset()

    async def _cut(self) -> None:
        """A10: ends the connection within the message."""
        parcel = self.ledger.new(self.source(self._chance.choice((SPOOL, PROGRAM))),
                                 self._chance.choice((300, 5000, LARGE)), wanted=False)
        talk = await self._connect(parcel.source)
        try:
            await talk.reply()
            for line in (b"EHLO x", b"MAIL FROM:<%b>" % parcel.sender, b"RCPT TO:<%b>" % parcel.recipients[0], b"DATA"):
                if not 200 <= await talk.ask(line) < 400:
                    return
            text = parcel.wire(self.ledger.seed)[:-1]
            await talk.say(text[:self._chance.choice((self._chance.randrange(len(text)), len(text)))])
            await asyncio.sleep(self._chance.uniform(0, 0.3))
            if self._chance.random() < 0.5:
                talk.reset()
        finally:
            self._end(talk)

    async def _half_open(self) -> None:
        """A34, A36: says something or nothing, and then no more; some vanish."""
        async with Visitor(self, 62) as talk:
            start = b"EHLO x\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<user1@bench.test>\r\nDATA\r\nSubject: 1\r\n"
            await talk.say(start[:self._chance.choice((0, 3, 8, 32, len(start)))])
            await self._wait(self._chance.uniform(1, 12))
            if self._chance.random() < 0.5:
                talk.vanish()

    async def _too_large(self) -> None:
        """A33: larger than databytes, said before or not."""
        parcel = self.ledger.new(self.source(self._chance.choice((SPOOL, PROGRAM))), TOO_LARGE, wanted=False)
        size = b" SIZE=%d" % TOO_LARGE if self._chance.random() < 0.3 else b""
        talk = await self._connect(parcel.source)
        try:
            await talk.reply()
            said = (b"EHLO x", b"MAIL FROM:<%b>%b" % (parcel.sender, size), b"RCPT TO:<%b>" % parcel.recipients[0], b"DATA")
            for line in said:
                if not 200 <= await talk.ask(line) < 400:
                    break
            else:
                await talk.say(parcel.wire(self.ledger.seed))
                self.said["too large " + str(await talk.reply())] += 1
        finally:
            self._end(talk)

    async def _listed(self) -> None:
        """Is on a list of the DNS; refused unless nobody can say so."""
        async with Visitor(self, 66) as talk:
            await talk.say(b"EHLO x\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<user1@bench.test>\r\nQUIT\r\n")
            for _ in range(4):
                code = await talk.reply()
            self.said[f"listed {code}"] += 1

    async def _denied(self) -> None:
        """May not connect, by tcp.smtp."""
        async with Visitor(self, 80) as talk:
            await talk.reply()
            self.said["denied, and served"] += 1

    async def _flood(self) -> None:
        """A37: more connections from one network than it may have."""
        network = self._chance.randint(0, 99)
        async def one() -> None:
            async with Visitor(self, 63, network) as talk:
                self.said[f"flood {await talk.reply()}"] += 1
                await self._wait(0.5)
        await asyncio.gather(*[one() for _ in range(60)], return_exceptions=True)

    # Connections

    async def _connect(self, source: str, window: int = 0) -> Talk:
        self.active += 1
        try:
            return await connected(self._port, source, window)
        except BaseException:
            self.active -= 1
            raise

    def _end(self, talk: Talk) -> None:
        self.active -= 1
        talk.close()

    async def _wait(self, seconds: float) -> None:
        """So long, or until it is to be quiet."""
        until = asyncio.get_running_loop().time() + seconds
        while self._open.is_set() and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.1)


class Visitor:
    """A connection for the time of a with statement, from 127.FIRST."""

    def __init__(self, load: Load, first: int, network: int | None = None, window: int = 0) -> None:
        chance = load._chance
        self._load = load
        self._source = f"127.{first}.{chance.randint(0, 99) if network is None else network}.{chance.randint(1, 250)}"
        self._window = window

    async def __aenter__(self) -> Talk:
        self._talk = await self._load._connect(self._source, self._window)
        return self._talk

    async def __aexit__(self, *_: object) -> None:
        self._load._end(self._talk)
