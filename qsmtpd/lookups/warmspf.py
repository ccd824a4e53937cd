"""SPF for a process of many sessions.  pyspf blocks, so it works in threads; but no thread ever waits for a stranger's DNS.

An evaluation begins with what is known by then; an answer that it lacks is a temperror to it, is asked for on the loop, and
then the evaluation is made anew.  One costs a fifth of a millisecond, with ten questions half a one.  So the threads are busy
for that long only, and a domain whose name servers take ten seconds holds up its own session and nobody else's.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ..checks.base import LookupFailedError
from .waiting import Slots, within

THREADS = 2
"""pyspf holds the interpreter while it works: more would only be in each other's way."""
WAITING_MAX = 500
SECONDS = 5.0
"""For one turn of an evaluation, the wait for a thread included."""
TURNS_MAX = 50
"""Of one evaluation; pyspf's own limits end it after some thirty."""


class WarmSpf:
    """All evaluations of a process.  With its threads it ends at close()."""

    __slots__ = ("_loop", "_slots", "_threads")

    def __init__(self, loop: "AbstractEventLoop") -> None:
        """pyspf is imported now, where it is there: that takes longer than a session may wait."""
        try:
            from . import spf  # noqa: F401,PLC0415
        except ImportError:
            pass
        self._loop = loop
        self._threads = ThreadPoolExecutor(THREADS, "spf")
        self._slots = Slots(loop, THREADS, WAITING_MAX, "SPF: too many at once")

    async def evaluate(self, ip: bytes, sender: bytes, helo: bytes, receiver: bytes, dns: "Dns") -> tuple[str, bytes]:
        """See spf.evaluate().

        Raises:
            LookupFailedError: a temperror, a fault of ours, or too many want this now.
        """
        known: dict[Question, Answer] = {}
        for _ in range(TURNS_MAX):
            turn = Turn(known)
            result = await self._in_thread(partial(turn.run, ip, sender, helo, receiver))
            if turn.missing:
                for question in turn.missing:
                    known[question] = await _answer(dns, question)
            elif isinstance(result, LookupFailedError):
                raise result
            else:
                return result
        raise LookupFailedError("SPF: too many questions")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: "Callable[[], Result]") -> "Result":
        await self._slots.take(SECONDS)
        done: Future[Result] = self._loop.run_in_executor(self._threads, work)
        done.add_done_callback(lambda _: self._slots.give())
        if not await within(done, SECONDS):
            raise LookupFailedError("SPF: no result in time")
        return done.result()


class Turn:
    """One turn of an evaluation.

    missing  what it could not know
    """

    __slots__ = ("_known", "missing")

    def __init__(self, known: "dict[Question, Answer]") -> None:
        self._known = known
        self.missing: list[Question] = []

    def run(self, ip: bytes, sender: bytes, helo: bytes, receiver: bytes) -> "Result":
        """The result, which counts when nothing is missing."""
        try:
            from .spf import evaluate  # noqa: PLC0415 - pyspf is there where SPF is wanted

            return evaluate(ip, sender, helo, receiver, self._ask)
        except ImportError as error:
            return LookupFailedError(f"SPF: {error}")
        except LookupFailedError as error:
            return error

    def _ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        answer = self._known.get((name, kind))
        if answer is None:
            self.missing.append((name, kind))
            raise LookupFailedError("not asked yet")
        if isinstance(answer, LookupFailedError):
            raise answer
        return answer


async def _answer(dns: "Dns", question: "Question") -> "Answer":
    try:
        return await dns.ask(*question)
    except LookupFailedError as error:
        return error


TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable

    from ..checks.base import Dns, Question

    Answer = tuple[bytes, ...] | LookupFailedError
    Result = tuple[str, bytes] | LookupFailedError
