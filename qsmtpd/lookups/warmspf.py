"""SPF for a process of many sessions.  pyspf blocks where it asks; here it never asks, so it runs on the event loop.

An evaluation begins with what is known by then; an answer that it lacks is a temperror to it, is asked for, and then the
evaluation is made anew.  One costs a fifth of a millisecond, with ten questions half a one, and spf.py bounds what a record can
make of it.  In threads it was measured: pyspf holds the interpreter, and steps of the loop took 60 ms.  And a thread that waits
for a stranger's name servers is one that he has taken away from the others.
"""

from ..checks.base import LookupFailedError

TURNS_MAX = 50
"""Of one evaluation; pyspf's own limits end it after some thirty."""


def prepare() -> None:
    """Import pyspf, where it is there: that takes longer than a session may wait."""
    try:
        from . import spf  # noqa: F401,PLC0415
    except ImportError:
        pass


async def evaluate(ip: bytes, sender: bytes, helo: bytes, receiver: bytes, dns: "Dns") -> tuple[str, bytes]:
    """See spf.evaluate().

    Raises:
        LookupFailedError: a temperror, or a fault of ours.
    """
    try:
        from . import spf  # noqa: PLC0415 - there where SPF is wanted
    except ImportError as error:
        raise LookupFailedError(f"SPF: {error}") from error
    known = Known()
    for _ in range(TURNS_MAX):
        try:
            result = spf.evaluate(ip, sender, helo, receiver, known.ask)
        except LookupFailedError:
            if not known.missing:
                raise
        else:
            if not known.missing:
                return result
        await known.find_out(dns)
    raise LookupFailedError("SPF: too many questions")


class Known:
    """The answers that an evaluation has.

    missing  those that it would have wanted besides: what came of it does not count
    """

    __slots__ = ("_answers", "missing")

    def __init__(self) -> None:
        self._answers: dict[Question, tuple[bytes, ...] | str] = {}
        self.missing: list[Question] = []

    def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        """For pyspf: an answer.

        Raises:
            LookupFailedError: there is none, or none yet.
        """
        answer = self._answers.get((name, kind))
        if answer is None:
            self.missing.append((name, kind))
            raise LookupFailedError("not asked yet")
        if isinstance(answer, str):
            raise LookupFailedError(answer)
        return answer

    async def find_out(self, dns: "Dns") -> None:
        """Ask for what is missing, all at once."""
        await dns.prefetch(self.missing)
        for question in self.missing:
            try:
                self._answers[question] = await dns.ask(*question)
            except LookupFailedError as error:
                self._answers[question] = str(error)
        self.missing = []


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..checks.base import Dns, Question
