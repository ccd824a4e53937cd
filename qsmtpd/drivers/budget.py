"""What clients may have of a worker beside their connections: so many messages on their way in, and so much memory.

What messages take of memory is counted as it comes and goes, so that no second passes in which it could grow without measure.
All else, buffers of connections, recipients, replies that nobody reads, is weighed about once a second, with the process.  Has
it grown by a quarter more than the memory all the same, some of those who have not begun a message are sent home.

Beyond a quarter of the memory messages go to files at once; beyond three quarters who comes is told to come again; and beyond
all of it a message that grows is given up, with 451: the disk does not keep up then.  What is accepted is never touched.
"""

from .admission import Admission
from .reception import FullError

AT_ONCE = 65536
"""Taken for a message when it begins: its header is gathered elsewhere (headersection.py), before anything is counted."""
ALWAYS = 20
"""So many connections are served whatever the process weighs: it is not their weight, and would not go with them."""
TRIM_AGAIN = 10.0
"""Seconds between two trims, each of which may take milliseconds."""
HURRY = 2.0
"""The same while the process is too heavy."""


class Budget:
    """Of one worker.

    messages  on their way in now
    taken     bytes of memory that they have
    grown     bytes by which the process is heavier than at its start
    """

    __slots__ = ("_admission", "_base", "_heavy", "_memory", "_messages", "_trimmed", "_weight", "grown", "taken")

    def __init__(self, memory: int, messages: int, weight: "Callable[[], int]") -> None:
        """memory  bytes
        messages   at once; half of them may come from one network
        weight     tells the bytes that the process has
        """
        self._memory = memory
        self._messages = messages
        self._admission = Admission(messages, 0, (messages + 1) // 2)
        self._weight = weight
        self._base = weight()
        self._heavy = False
        self._trimmed = 0.0
        self.taken = self.grown = 0

    @property
    def messages(self) -> int:
        return self._admission.held

    @property
    def spills(self) -> bool:
        """Messages should go to files."""
        return self.taken > self._memory // 4

    @property
    def overdrawn(self) -> bool:
        """A message that grows is to be given up."""
        return self.taken > self._memory

    @property
    def exhausted(self) -> bool:
        """There is no memory for anybody else."""
        return self._heavy or self.taken > self._memory // 4 * 3

    def refusal(self) -> str:
        """Why nobody should come now, "memory" or "messages"; "" when there is room."""
        if self.exhausted:
            return "memory"
        return "messages" if self._admission.held >= self._messages else ""

    def begin(self, ip: bytes) -> None:
        """Count a message in.

        Raises:
            FullError: and it is not counted.
        """
        lacking = "memory" if self.exhausted else self._admission.admit(ip)
        if lacking:
            raise FullError("messages" if lacking == "limit" else lacking)

    def end(self, ip: bytes) -> None:
        """It is not there any more."""
        self._admission.release(ip)

    def take(self, size: int) -> None:
        """So many bytes are in memory, or, with a minus, are not there any more."""
        self.taken += size

    def weigh(self, now: float, connections: int) -> tuple[bool, bool]:
        """Look how heavy the process is, about once a second.

        Returns whether free memory should be given back, and whether clients should be sent home.
        """
        self.grown = self._weight() - self._base
        self._heavy = self.grown > self._memory and connections > ALWAYS
        trim = self.grown > self._memory // 2 and now >= self._trimmed + (HURRY if self._heavy else TRIM_AGAIN)
        if trim:
            self._trimmed = now
        return trim, self._heavy and self.grown > self._memory // 4 * 5


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
