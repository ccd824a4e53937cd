"""What a case is: a server or a program, what it is given to do, and what it may take."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

CONNECT, HARVEST, DELIVER, MESSAGE, START = "connect", "harvest", "deliver", "message", "start"
DISK, FLOOD, IDLE = "disk", "flood", "idle"
TITLES = {
    HARVEST: "harvest: EHLO, MAIL, 20 refused RCPTs, QUIT",
    DELIVER: "deliver: one message of 2 KiB",
    CONNECT: "connect: greeting and QUIT",
    DISK: "deliver, 50 at once, on the disk before 250",
    FLOOD: "good mail every 50 ms, while 50 harvesters come back again and again",
    IDLE: "connections that wait after EHLO",
    MESSAGE: "the queue programs by themselves, a message of 2 KiB each",
    START: "what a start is made of",
}
"""Group: its heading."""

TCPSERVER, HANDOFF, LISTENER, SERVER = "tcpserver", "handoff", "listener", "server"
"""How a case serves: a program under tcpserver; the same, with qsmtpd-listen beside it as its service; in tcpserver's place;
with its own arguments."""

PER_SESSION = "^session "
"""The line that ours write for each."""
PER_MESSAGE = "^message id="
FAULT = r"^(fault|trouble) |^Traceback"


class Budget(NamedTuple):
    """What a figure may be at most.

    quantity  the attribute of a Figure
    unit      as it is printed behind the limit
    least     it is to be that much at least
    """

    quantity: str
    limit: float
    unit: str
    least: bool = False

    def held(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:,g} {self.unit}"


class Case(NamedTuple):
    """One row of the tables.

    group    what it is given to do, and whose floors it is compared with
    name     as the table has it
    floor    "C", "Python" or "uvloop": the others are compared with it; "part": a part of a start that is not ours
    beside   the floor that is written in its language and started as it is
    peer     the name of the other server; "": ours, or a floor
    how      it serves, in a group where something is served
    port     where it listens; 0: it says so
    weight   times the usual number of sessions: what is quick is repeated more often
    budgets  what we allow ourselves
    marks    patterns of lines of which the log must have one a session; in FLOOD, one a good mail
    faults   pattern of lines that it must not have
    refusal  the code for a recipient who does not exist
    source   Postfix's generator instead of ours
    held     connections, in IDLE
    """

    group: str
    name: str
    argv: Sequence[str | Path]
    environment: dict[str, str] = {}  # noqa: RUF012  nobody changes it
    floor: str = ""
    beside: str = "Python"
    peer: str = ""
    how: str = TCPSERVER
    port: int = 0
    weight: int = 1
    budgets: tuple[Budget, ...] = ()
    marks: tuple[str, ...] = ()
    faults: str = FAULT
    refusal: int = 550
    source: bool = False
    held: int = 0

    @property
    def ours(self) -> bool:
        return not self.floor and not self.peer
