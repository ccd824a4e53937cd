"""What is known of a connection while it stands."""

from ..lookups.warm import Warm
from ..qmail.env import Peer

DENIED = 100
"""What tcpserver's child exits with when the rules deny a client."""


class Visit:
    """number  of the connection, in the log
    warm       the look-ups that it began with
    session    None until it is begun
    queue      where its messages go, as soon as there is a session
    denied     the rules let nobody of that address in
    """

    __slots__ = ("denied", "number", "peer", "queue", "session", "warm")

    def __init__(self, peer: Peer, number: int, warm: Warm) -> None:
        self.peer = peer
        self.number = number
        self.warm = warm
        self.session: Session | None = None
        self.queue: CountedQueue | None = None
        self.denied = False

    @property
    def idle(self) -> bool:
        """Nothing is lost when the connection ends now."""
        return self.session is None or self.session.idle

    @property
    def leaving(self) -> bool:
        """We have said our last words."""
        return self.session is not None and self.session.closing is not None

    @property
    def in_message(self) -> bool:
        """Between the answer to DATA and the one to the final dot."""
        return self.queue is not None and self.queue.under_way

    def exit_code(self, well: bool, fault: BaseException | None) -> int:
        """What a process of its own would have exited with."""
        if self.denied:
            return DENIED
        return 111 if fault is not None else 0 if well else 1


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..session import Session
    from .queues import CountedQueue
