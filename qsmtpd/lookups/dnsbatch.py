"""Questions that are asked side by side, of several servers in turn, until all are answered or the time is up.

A question is asked again, of the next server, after 1 and after 3 seconds, and what was sent before may still be answered.
SERVFAIL, REFUSED and what makes no sense bring the next server at once; when all have refused, that is the end of it.
"""

import select
import time
from abc import ABC, abstractmethod
from posix import urandom

from . import dnsmessage
from .dnssocket import Datagram, Server, Stream


class Pending:
    """A question that is being asked.

    due      when it is asked again
    turn     how often it was asked by UDP
    refused  servers that will not answer it
    ways     the sockets on which an answer may come
    why      what to say when there is no answer in the end
    """

    __slots__ = ("asked", "due", "edns", "key", "refused", "turn", "ways", "why")

    def __init__(self, key: "Question", asked: bytes) -> None:
        self.key = key
        self.asked = asked
        self.due = 0.0
        self.edns = True
        self.turn = 0
        self.refused: set[int] = set()
        self.ways: list[Datagram | Stream] = []
        self.why = "no answer in time"


class Questions(ABC):
    """Questions that are under way; who waits for the answers, and how, is a matter of the two methods at the end.

    first    the server to begin with, then the one that answered last
    heard    somebody has answered something
    answers  as far as they are known
    """

    def __init__(self, servers: "Sequence[Server]", first: int) -> None:
        self.servers = servers
        self.first = first
        self.heard = False
        self.pending: dict[Question, Pending] = {}
        self.answers: dict[Question, tuple[bytes, ...] | str] = {}
        self._start = 0.0

    def add(self, key: "Question", asked: bytes) -> None:
        self.pending[key] = Pending(key, asked)

    def ask_what_is_due(self, now: float) -> None:
        """Send what is to be sent by now; the time of the first is the beginning."""
        self._start = self._start or now
        for each in tuple(self.pending.values()):
            if each.due <= now:
                self._ask(each)

    def next_due(self, limit: float) -> float:
        """When something is to be sent again, at most the limit; to be asked while something is pending."""
        return min(limit, *[each.due for each in self.pending.values()])

    def hear(self, each: Pending, way: Datagram | Stream) -> None:
        """One of the ways is ready, for what it waits for."""
        if way not in each.ways:
            return  # its question was answered just now, on another way
        events = way.events
        try:
            message = way.step()
        except OSError:
            self._broken(each, way)
            return
        if message is not None:
            if isinstance(way, Stream):
                self._close(each, way)
            self._read(each, way, message)
        elif way.events != events:
            self._unwatch(way)
            self._watch(each, way)

    def end(self) -> None:
        """The time is up: what has no answer by now has none."""
        for key, each in self.pending.items():
            self.answers[key] = each.why
            for way in tuple(each.ways):
                self._close(each, way)

    def _ask(self, each: Pending) -> None:
        """Ask by UDP the next server that has not refused; when to do so again is settled before it can fail."""
        number = (self.first + each.turn) % len(self.servers)
        while number in each.refused:
            each.turn += 1
            number = (self.first + each.turn) % len(self.servers)
        each.turn += 1
        each.due = self._start + 2 ** each.turn - 1
        self._send(each, number, Datagram)

    def _send(self, each: Pending, number: int, way: "type[Datagram | Stream]") -> None:
        query = dnsmessage.query(urandom(2), each.asked, each.edns)
        try:
            opened = way(self.servers[number], number, query, each.asked)
        except OSError:
            self._fell_silent(each, number, way)
            return
        each.ways.append(opened)
        self._watch(each, opened)

    def _read(self, each: Pending, way: Datagram | Stream, message: bytes) -> None:
        """What a response to a question comes to."""
        self.heard = True
        code = dnsmessage.rcode(message)
        if dnsmessage.truncated(message):
            self._send(each, way.number, Stream)
        elif code in (dnsmessage.FORMERR, dnsmessage.NOTIMP) and each.edns:
            each.edns = False
            self._send(each, way.number, Datagram)
        elif code not in (dnsmessage.NOERROR, dnsmessage.NXDOMAIN) or (code == 0 and dnsmessage.lame(message)):
            self._refused(each, way.number, f"the answer was an error, rcode {code}")
        else:
            try:
                self._settle(each, dnsmessage.records(message, each.asked, each.key[1]))
                self.first = way.number
            except dnsmessage.MessageError as error:
                each.why = f"a malformed answer: {error}"
                self._fell_silent(each, way.number, type(way))

    def _broken(self, each: Pending, way: Datagram | Stream) -> None:
        """The kernel has reported an error."""
        if isinstance(way, Stream):
            self._close(each, way)
            each.why = "no answer by TCP"
        self._fell_silent(each, way.number, type(way))

    def _fell_silent(self, each: Pending, number: int, way: "type[Datagram | Stream]") -> None:
        """A server cannot be reached, or talks nonsense.  By UDP that may be forged: it decides nothing, an answer may come."""
        if way is Stream:
            self._refused(each, number, each.why)
        elif each.turn < len(self.servers):
            each.due = 0.0

    def _refused(self, each: Pending, number: int, why: str) -> None:
        each.refused.add(number)
        if len(each.refused) == len(self.servers):
            self._settle(each, why)
        else:
            each.due = 0.0

    def _settle(self, each: Pending, answer: tuple[bytes, ...] | str) -> None:
        """Done: whatever else was sent for it is not waited for."""
        del self.pending[each.key]
        self.answers[each.key] = answer
        for way in tuple(each.ways):
            self._close(each, way)

    def _close(self, each: Pending, way: Datagram | Stream) -> None:
        each.ways.remove(way)
        self._unwatch(way)
        way.close()

    @abstractmethod
    def _watch(self, each: Pending, way: Datagram | Stream) -> None:
        """Call hear() when a way is ready for its events."""

    @abstractmethod
    def _unwatch(self, way: Datagram | Stream) -> None:
        """Do so no more."""


class Batch(Questions):
    """Questions that are asked side by side, and waited for."""

    def __init__(self, servers: "Sequence[Server]", first: int) -> None:
        super().__init__(servers, first)
        self._under_way: dict[int, tuple[Pending, Datagram | Stream]] = {}
        self._poll = select.poll()

    def run(self, now: float, limit: float) -> None:
        """Ask, until all is answered or the limit, a time of the monotonic clock, is reached."""
        try:
            while self.pending and now < limit:
                self.ask_what_is_due(now)
                if self.pending:
                    ready = self._poll.poll(max(self.next_due(limit) - now, 0) * 1000 + 1)
                    for each, way in [self._under_way[fd] for fd, _ in ready]:
                        self.hear(each, way)
                now = time.monotonic()
        finally:
            self.end()

    def _watch(self, each: Pending, way: Datagram | Stream) -> None:
        self._under_way[way.fileno()] = (each, way)
        self._poll.register(way.fileno(), way.events)

    def _unwatch(self, way: Datagram | Stream) -> None:
        self._poll.unregister(way.fileno())
        del self._under_way[way.fileno()]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..checks.base import Question
