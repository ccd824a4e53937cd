"""The DNS for a process of many sessions, on its event loop: the cold resolver's questions, messages and rules.

What differs is the waiting.  A question that several sessions ask at the same time is asked once.  AT_ONCE are under way at
most, each with sockets and ports of its own; others wait their turn.  Nothing is kept when the sessions have their answers: the
name server has a cache.

aiodns 4.0 was measured: 70 microseconds of CPU a question where this takes 45, and a cache that cannot be turned off, in which
each name that a stranger makes up takes 1.8 KiB for as long as he says; and what a server that asks nobody says, nothing, looks
like a name without records.
"""

import time
from collections import deque
from select import POLLIN

from .dnsbatch import Questions
from .resolver import PATIENCE, RESOLVER_MARK, RESOLVER_REST, Resolver
from .warmmarks import WarmMarks

AT_ONCE = 256
"""Questions under way; with dead name servers each has up to three sockets."""
WAITING_MAX = 4096
"""Questions that wait for their turn; what is more has no answer."""
_TOO_MANY = "too many questions at once"
_TOO_LATE = "no answer in time"


class Wait:
    """A session that waits for some questions.

    answers  as far as they are known
    heard    a name server has said something, or there is nothing to be concluded from its silence
    """

    __slots__ = ("answers", "done", "heard", "left")

    def __init__(self, loop: "AbstractEventLoop", questions: int) -> None:
        self.answers: dict[Question, Answer] = {}
        self.done: Future[None] = loop.create_future()
        self.heard = False
        self.left = questions

    def take(self, key: "Question", answer: "Answer", heard: bool) -> None:
        """An answer is there."""
        self.answers[key] = answer
        self.heard = self.heard or heard
        self.left -= 1
        if not self.left:
            self.end()

    def end(self) -> None:
        """All is there, or the time is up."""
        if not self.done.done():
            self.done.set_result(None)


class Asking(Questions):
    """One question on the loop.

    begun  it had its turn
    waits  those who want the answer
    """

    def __init__(self, dns: "WarmDns", key: "Question", asked: bytes) -> None:
        super().__init__(dns.servers, 0)
        self.begun = False
        self.waits: list[Wait] = []
        self._dns = dns
        self._key = key
        self._limit = 0.0
        self._timer: TimerHandle | None = None
        self.add(key, asked)

    def begin(self, first: int) -> None:
        """Ask, the server of this number first."""
        self.begun = True
        self.first = first
        self._limit = self._dns.loop.time() + PATIENCE
        self._go_on()

    def _go_on(self) -> None:
        """Send what is due, and see that we are called again when there is more; or say that it is over."""
        loop = self._dns.loop
        now = loop.time()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.pending and now < self._limit:
            self.ask_what_is_due(now)
        if self.pending and now < self._limit:
            self._timer = loop.call_at(self.next_due(self._limit), self._go_on)
            return
        self.end()
        self._dns.settled(self, self._key)

    def drop(self) -> None:
        """Nobody wants to know any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.end()

    def _ready(self, each: "Pending", way: "Datagram | Stream") -> None:
        self.hear(each, way)
        if self.heard:
            self._dns.heard_at = self._dns.loop.time()
        if not self.pending or each.due <= self._dns.loop.time():
            self._go_on()

    def _watch(self, each: "Pending", way: "Datagram | Stream") -> None:
        loop = self._dns.loop
        watch = loop.add_reader if way.events == POLLIN else loop.add_writer
        watch(way.fileno(), self._ready, each, way)

    def _unwatch(self, way: "Datagram | Stream") -> None:
        self._dns.loop.remove_reader(way.fileno())
        self._dns.loop.remove_writer(way.fileno())


class WarmDns:
    """What all sessions share.

    servers   as resolver.configured() has them
    marks     who rests
    heard_at  when a name server has said something, by the loop's clock
    """

    def __init__(self, loop: "AbstractEventLoop", servers: "Sequence[Server]", budget: float) -> None:
        """budget  seconds that a session may wait in all."""
        self.loop = loop
        self.servers = servers
        self.budget = budget
        self.marks = WarmMarks()
        self.heard_at = 0.0
        self._first = 0
        self._asking: dict[Question, Asking] = {}
        self._turns: deque[Asking] = deque()
        self._under_way = 0

    def ask(self, key: "Question", asked: bytes, wait: Wait) -> None:
        """Get an answer for somebody who waits, by the question's section."""
        asking = self._asking.get(key)
        if asking is not None:
            asking.waits.append(wait)
        elif len(self._asking) >= AT_ONCE + WAITING_MAX:
            wait.take(key, _TOO_MANY, heard=True)
        else:
            self._asking[key] = asking = Asking(self, key, asked)
            asking.waits.append(wait)
            self._turns.append(asking)
            self._next()

    def leave(self, keys: "Iterable[Question]", wait: Wait) -> None:
        """Somebody waits no more: for whom nobody waits is not asked any more."""
        for key in keys:
            asking = self._asking.get(key)
            if asking is not None and wait in asking.waits:
                asking.waits.remove(wait)
                if not asking.waits:
                    asking.drop()
                    self._over(asking, key)

    def settled(self, asking: Asking, key: "Question") -> None:
        """A question is over."""
        answer = asking.answers[key]
        if isinstance(answer, tuple):
            self._first = asking.first
        for wait in asking.waits:
            wait.take(key, answer, asking.heard)
        self._over(asking, key)

    def close(self) -> None:
        """Ask nothing any more."""
        for key, asking in tuple(self._asking.items()):
            asking.drop()
            self.settled(asking, key)

    def _over(self, asking: Asking, key: "Question") -> None:
        del self._asking[key]
        if asking.begun:
            self._under_way -= 1
            self._next()
        else:
            self._turns.remove(asking)

    def _next(self) -> None:
        while self._turns and self._under_way < AT_ONCE:
            self._under_way += 1
            self._turns.popleft().begin(self._first)


class SessionDns(Resolver):
    """See Dns: what one session has asked, and the time that it has left."""

    __slots__ = ("_shared",)

    def __init__(self, shared: WarmDns) -> None:
        super().__init__(shared.servers, shared.budget, shared.marks)
        self._shared = shared

    async def _wait(self, wanted: "dict[Question, bytes]") -> None:
        shared, loop = self._shared, self._shared.loop
        start = loop.time()
        wait = Wait(loop, len(wanted))
        for key, asked in wanted.items():
            shared.ask(key, asked, wait)
        timer = loop.call_later(min(PATIENCE, self._budget), wait.end)
        try:
            await wait.done
        finally:
            timer.cancel()
            if wait.left:
                shared.leave(wanted, wait)
        # The loop counts milliseconds: what is left below one, by arithmetic, would be a question that nobody has time for.
        self._budget = round(self._budget - (loop.time() - start), 3)
        for key in wanted:
            self._answers[key] = wait.answers.get(key, _TOO_LATE)
        if wait.heard:
            shared.marks.clear(RESOLVER_MARK)
        elif shared.heard_at < start:
            shared.marks.strike(RESOLVER_MARK, time.time(), rest=RESOLVER_REST)




TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle
    from collections.abc import Iterable, Sequence

    from ..checks.base import Question
    from .dnsbatch import Pending
    from .dnssocket import Datagram, Server, Stream

    Answer = tuple[bytes, ...] | str
