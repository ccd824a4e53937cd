"""Where the runner delivers to: one target a file, and what they have in common here."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from ..heldfile import HeldFile, Recipient


class Verdict(Enum):
    """What became of a delivery."""

    DELIVERED = "delivered"
    FAILED = "failed"  # for good: trying again cannot help
    LATER = "later"


class Result(NamedTuple):
    """The end of one delivery.

    verdict  what became of it
    why      the reason, one line for people; "" when it was delivered
    qp       the process id of the queue program, None elsewhere
    """

    verdict: Verdict
    why: str = ""
    qp: int | None = None


class Target(Protocol):
    """Delivers one message."""

    def deliver(self, identity: str, file: HeldFile, recipients: Iterator[Recipient]
                ) -> Iterator[tuple[Sequence[Recipient], Result]]:
        """Deliver to each recipient, one after the other or some at a time; each is in exactly one of the results.

        Whatever goes wrong is a Result, but for OSError, when the message itself cannot be read.
        """
        ...
