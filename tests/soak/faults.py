"""What happens to a site in a soak.  Each fault begins, lasts some seconds, and is over when its coroutine ends.

While the DNS or the store is away good mail is accepted; while the disk is full it is put off; it is never refused.
"""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable

from tests.servers import Service

from .clients import GREY, LARGE, PROGRAM, SPOOL, Load
from .site import RECORD, RULES, TAGS, Site
from .watch import Log, children

RESTART = 15.0
"""Seconds until a worker is replaced: up to ten are the pause after one that has died young."""
RECOVERY = RESTART + 5
"""Seconds after the end of a fault, and of one that must not matter from its begin on, in which good mail is accepted."""


class Faults:
    """The fault-maker.

    lives    the worker that is not killed, so that its memory can be followed; 0 for none
    killing  a worker is killed at the same time
    """

    def __init__(self, site: Site, load: Load, log: Log, listener: int, seconds: float) -> None:
        """listener  its process id; seconds  that a fault lasts"""
        self.lives = 0
        self.killing = False
        self.dns: Service
        self.redis: Service
        self._site = site
        self._load = load
        self._log = log
        self._listener = listener
        self._seconds = seconds

    def all(self) -> list[Callable[[], Awaitable[None]]]:
        """Every kind of fault; the end of the listener is another matter."""
        return [
            self.worker_killed, self.worker_stopped, self.dns_silent, self.dns_gone, self.store_locked, self.other_store,
            self.disk_full, self.clients_broken, self.users_broken, self.rules_broken, self.everything_replaced,
            self.program_broken, self.log_not_read]

    async def start(self) -> None:
        """Start what may be stopped."""
        self.dns = await asyncio.to_thread(self._site.start_dns)
        self.redis = await asyncio.to_thread(self._site.start_redis)

    def stop(self) -> None:
        """End it."""
        for service in (self.dns, self.redis):
            os.kill(service.pid, signal.SIGCONT)
            service.stop()

    def workers(self) -> list[int]:
        return children(self._listener)

    async def accepted(self, *ways: str, seconds: float = RECOVERY, times: int = 3) -> None:
        """Good mail is accepted, from several networks, so that every worker has some of it."""
        done = await asyncio.gather(*[self._load.accepted(way, seconds) for way in ways * times])
        assert all(done), f"good mail was not accepted within {seconds} s: {dict(zip(ways * times, done, strict=True))}"

    async def _last(self) -> None:
        await asyncio.sleep(self._seconds)

    # Workers

    async def worker_killed(self) -> None:
        """A139: kill -9 of one that has much to do.  What it was writing the runner clears away, and nobody else has to."""
        async with asyncio.timeout(RESTART):  # one that was killed again and again is not there again at once
            while not (others := [pid for pid in self.workers() if pid != self.lives]):
                await asyncio.sleep(0.05)
        await self.kill(others[0])
        await self.accepted(SPOOL, PROGRAM)

    async def kill(self, victim: int) -> None:
        """Kill a worker, and wait for the next one."""
        os.kill(victim, signal.SIGKILL)
        async with asyncio.timeout(RESTART):
            while victim in self.workers() or len(self.workers()) < 2:
                await asyncio.sleep(0.05)
        assert self._site.sweep() == []

    async def worker_stopped(self) -> None:
        """The machine pauses."""
        victim = self.lives or self.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        await self._last()
        os.kill(victim, signal.SIGCONT)

    # What is asked

    async def dns_silent(self) -> None:
        """A95: questions go into a hole."""
        os.kill(self.dns.pid, signal.SIGSTOP)
        try:
            await asyncio.gather(self._last(), self.accepted(SPOOL, PROGRAM, GREY))
        finally:
            os.kill(self.dns.pid, signal.SIGCONT)

    async def dns_gone(self) -> None:
        """Nobody listens there."""
        await asyncio.to_thread(self.dns.stop, signal.SIGKILL)
        await asyncio.gather(self._last(), self.accepted(SPOOL, PROGRAM, GREY))
        self.dns = await asyncio.to_thread(self._site.start_dns)

    async def store_locked(self) -> None:
        """A110: somebody has the store for himself."""
        path = self._site.sqlite.removeprefix("sqlite:")
        other = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            await asyncio.to_thread(other.execute, "BEGIN EXCLUSIVE")
            await asyncio.gather(self._last(), self.accepted(SPOOL, PROGRAM, GREY))
        finally:
            other.rollback()
            other.close()

    async def other_store(self) -> None:
        """Redis in the place of SQLite; it stands still, is killed, and comes back; then SQLite again, each by HUP."""
        self._use(self._site.redis)
        await self.accepted(SPOOL, GREY)
        os.kill(self.redis.pid, signal.SIGSTOP)
        await asyncio.gather(self._last(), self.accepted(SPOOL, GREY))
        os.kill(self.redis.pid, signal.SIGCONT)
        await asyncio.to_thread(self.redis.stop, signal.SIGKILL)
        await asyncio.gather(self._last(), self.accepted(SPOOL, GREY))
        self.redis = await asyncio.to_thread(self._site.start_redis)
        await self._last()
        self._use(self._site.sqlite)

    def _use(self, url: str) -> None:
        self._site.replace("store", url.encode())
        os.kill(self._listener, signal.SIGHUP)

    # The disk

    async def disk_full(self) -> None:
        """A137: spool, store and files of large messages have no room.  It is put off what cannot be kept, and nothing else."""
        ballast = self._site.disk / "ballast"
        self._site.collecting = False
        with ballast.open("wb") as file:
            filling = asyncio.create_task(self._keep_full(file.fileno()))
            try:
                await asyncio.sleep(0.1)
                answers = await asyncio.gather(*[self._load.try_once(SPOOL, 30000) for _ in range(8)])
                large = await asyncio.gather(*[self._load.try_once(PROGRAM, LARGE) for _ in range(6)])
                await asyncio.gather(self._last(), self.accepted(PROGRAM))
            finally:
                filling.cancel()
                ballast.unlink()
                self._site.collecting = True
        for each in (answers, large):
            assert any(answer.startswith(b"451 4.3.0") for answer in each), each

    @staticmethod
    async def _keep_full(fd: int) -> None:
        """To the last byte, also what others give back."""
        while True:
            for size in (1 << 20, 4096):
                try:
                    while os.write(fd, bytes(size)):
                        pass
                except OSError:
                    pass
            await asyncio.sleep(0.02)

    # Control files

    async def rules_broken(self) -> None:
        """A144: a mistake leaves in force what was; who has nothing of the kind is told to come again."""
        self._site.replace("rules", b"dul refuse refuse\nany accept\n")
        await self._last()
        self._site.replace("tags", b"this is nonsense\n")
        await asyncio.gather(self._last(), *([] if self.killing else [self.accepted(SPOOL)]))
        self._site.replace("tags", TAGS.encode())
        self._site.replace("rules", RULES.format(number=self._site.rules).encode())

    async def users_broken(self) -> None:
        """A130, A131: a database that is cut off, or empty, says of nobody that he is not there."""
        path = self._site.home.control / "validrcptto.cdb"
        whole = path.read_bytes()
        for data in (whole[:len(whole) * 2 // 3], b"", whole[:1000]):
            self._site.replace("validrcptto.cdb", data)
            await asyncio.sleep(self._seconds / 4 + 1)
        self._site.write_users()

    async def clients_broken(self) -> None:
        """The same with tcp.smtp.cdb: nobody is served, or nobody notices."""
        data = self._site.clients.read_bytes()
        new = self._site.home.path / "broken"
        new.write_bytes(data[:2050])
        new.rename(self._site.clients)
        await self._last()
        self._site.write_clients()

    async def everything_replaced(self) -> None:
        """A144: new rules, databases, HUP; within seconds messages come by the new rules."""
        self._site.new_rules()
        self._site.write_users()
        self._site.write_clients()
        await asyncio.sleep(0.5)
        os.kill(self._listener, signal.SIGHUP)
        async with asyncio.timeout(RECOVERY):
            while self._load.ledger.rules < self._site.rules:
                await asyncio.sleep(0.1)
        await self._last()

    # Programs

    async def program_broken(self) -> None:
        """A140: the queue program exits with 71, dies, or is not there."""
        program = self._site.home.path / "bin/qmail-queue"
        for body in ("cat >/dev/null; rm -r $d; exit 71", "rm -r $d; kill -KILL $$", "rm -r $d; exit 1"):
            self._site.home.queue_program(body)
            await asyncio.sleep(self._seconds / 4)
        program.unlink()
        await asyncio.gather(asyncio.sleep(self._seconds / 4), self.accepted(SPOOL))
        self._site.home.queue_program(RECORD)

    async def log_not_read(self) -> None:
        """Whoever reads the log has stopped; a worker is replaced all the same."""
        self._log.stall()
        try:
            await asyncio.gather(self._last(), self.accepted(SPOOL, PROGRAM))
            await self.worker_killed()
        finally:
            self._log.go_on()
