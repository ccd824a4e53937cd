"""What the processes of a soak are watched for: descriptors, memory, children that nobody buries, and what they say."""

import asyncio
import os
import re
from collections import Counter, deque
from pathlib import Path

OURS = re.compile(rb"^(tcpserver: |qsmtpd-listen: |[a-z-]+ [a-z-]+=)")
"""How a line of the log begins."""
BUGS = re.compile(
    rb"(Type|Key|Attribute|Value|Assertion|Runtime|Index|InvalidState|Name|UnboundLocal|Unicode\w*|Memory|Recursion)Error"
    rb"|never retrieved|never awaited")
"""What stands in a line that speaks of a mistake of ours."""
GONE = re.compile(rb"^/bin/sh: \d+: cannot open \S+/bin/qmail-queue: No such file$")
"""What the shell says when the queue program is taken away after it was started, and before it is read."""
STORE = "store.sqlite"
OWN = ("Anonymous:", "Pss_Shmem:", "Swap:")
"""Of smaps_rollup: the heap and the stacks, and databases in sealed memory."""
STATUS = re.compile(rb"^tcpserver: status: (\d+)/")


class Log:
    """What the listener writes, as long as somebody reads it.

    events   how often each came
    bad      lines that must not be
    standing connections, by the last line that says so
    tail     the last lines
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.bad: list[bytes] = []
        self.standing = 0
        self.tail: deque[bytes] = deque(maxlen=20000)
        self._reading: asyncio.Task[None]
        self._transport: asyncio.ReadTransport

    async def open(self) -> int:
        """Make the pipe; its other end."""
        ours, theirs = os.pipe()
        reader = asyncio.StreamReader(limit=1 << 20)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb"))
        self._reading = asyncio.create_task(self._read(reader))
        return theirs

    def stall(self) -> None:
        """Read nothing."""
        self._transport.pause_reading()

    def go_on(self) -> None:
        self._transport.resume_reading()

    async def close(self) -> None:
        """All that was written has been read: nobody has the other end any more."""
        await asyncio.wait([self._reading], timeout=20)
        self._reading.cancel()
        self._transport.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self.tail.append(line)
            status = STATUS.match(line)
            if status:
                self.standing = int(status[1])
            elif GONE.match(line):
                self.events["gone"] += 1
            elif not OURS.match(line) or BUGS.search(line):
                self.bad.append(line)
            else:
                self.events[line.split(b" ", 1)[0].decode()] += 1


def children(pid: int) -> list[int]:
    """Its children, dead or alive."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def zombies(pids: list[int]) -> list[int]:
    """Children of theirs that are dead and not buried."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state == "Z" and int(parent) in pids:
            found.append(int(entry.name))
    return found


def descriptors(pid: int) -> dict[str, int]:
    """What a process has open, by kind.

    SQLite closes a file late when another connection of the process has locks on it, which would go with the descriptor, and
    takes that one for the next connection: so one of the store's file may be waiting.
    """
    kinds: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds[re.sub(r"\d+", "N", os.readlink(entry).rpartition("/")[2])] += 1
        except FileNotFoundError:
            pass
    if kinds[STORE] == 2:
        kinds[STORE] = 1
    return dict(kinds)


def memory(pid: int) -> int:
    """KiB of a process that no file backs.

    PSS moves by 1.8 MB within seconds while none of the worker's pages changes: its part of each is larger when fewer share it.
    """
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")
    return sum(int(line.split()[1]) for line in lines if line.startswith(OWN))


class Sample:
    """A worker at a quiet time."""

    def __init__(self, pid: int, sessions: int) -> None:
        self.pid = pid
        self.sessions = sessions
        self.descriptors = descriptors(pid)
        self.memory = memory(pid)


def growth(samples: list[Sample]) -> tuple[int, int]:
    """The median of the memory in the last third of the samples of a worker, less that of the second; sessions between them."""
    third = len(samples) // 3
    second, last = samples[-2 * third:-third], samples[-third:]
    return (sorted(each.memory for each in last)[third // 2] - sorted(each.memory for each in second)[third // 2],
            last[third // 2].sessions - second[third // 2].sessions)
