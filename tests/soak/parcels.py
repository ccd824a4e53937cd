"""The messages of a soak: what was sent, what was promised for it, and what was found of it."""

import random
import re

LINE = b"The quick brown fox jumps over the lazy dog %d times, and each time the dog says: %d.\n"
POOL = b"".join([LINE % (number, number * 7919 % 1000) if number % 9 else b".%d\n..\n.\n" % number for number in range(12000)])
"""Lines of which messages are made; some begin with a dot."""

ABOVE = re.compile(
    rb"(?:Received: \(holdq \d+ invoked [^\n]*\n)?X-Rules: (\d+)\n"
    rb"Received: from [^\n]*\n  by mx\.bench\.test with ESMTP; [^\n]*\n")
"""What we put before a message, and nothing else."""
NUMBER = re.compile(rb"^X-Soak: (\d+)$", re.MULTILINE)


class Parcel:
    """One message.

    number   stands in it
    source   the address that it comes from
    wanted   False for one that may never be accepted: cut off, or too large
    promised its 250 was seen
    unsure   attempts that ended between the end of the message and the answer
    found    how often it was in the spool, or was given to the queue program
    refused  the 5xx that it got
    """

    __slots__ = ("due", "found", "number", "promised", "recipients", "refused", "sender", "size", "source", "unsure", "wanted")

    def __init__(self, number: int, source: str, size: int, recipients: int, *, wanted: bool) -> None:
        self.number = number
        self.source = source
        self.size = size
        self.wanted = wanted
        self.sender = b"s%d@far.test" % (number % 50)
        self.recipients = [b"user%d@bench.test" % ((number + each) % 100) for each in range(recipients)]
        self.promised = False
        self.unsure = self.found = 0
        self.refused = b""
        self.due = 0.0

    def text(self, seed: int) -> bytes:
        """The message as it is to be stored: the same each time."""
        chance = random.Random(seed * 1_000_003 + self.number)
        begin = POOL.index(b"\n", chance.randrange(len(POOL) // 2)) + 1
        body = POOL[begin:begin + self.size] or b"\n"
        end = b"" if body.endswith(b"\n") else b"\n"
        return b"Subject: %d of %d\nX-Soak: %d\nX-Sum: %016x\n\n%b%bthe end of %d\n" % (
            self.number, self.size, self.number, chance.getrandbits(64), body, end, self.number)

    def wire(self, seed: int) -> bytes:
        """The same as it is sent, with its end."""
        return self.text(seed).replace(b"\n.", b"\n..").replace(b"\n", b"\r\n") + b".\r\n"


class Ledger:
    """All of them.

    wrong  what must not be, in words
    rules  the largest number of a rules file that a message has come by
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.parcels: list[Parcel] = []
        self.wrong: list[str] = []
        self.rules = 0

    def new(self, source: str, size: int, recipients: int = 1, *, wanted: bool = True) -> Parcel:
        """A message that nobody has sent."""
        self.parcels.append(Parcel(len(self.parcels), source, size, recipients, wanted=wanted))
        return self.parcels[-1]

    def take(self, message: bytes, sender: bytes, recipients: list[bytes], where: str) -> None:
        """Something was queued: it has to be one of ours, whole, and to be sent to whom it was."""
        number = NUMBER.search(message)
        above = ABOVE.match(message)
        if number is None or above is None or int(number[1]) >= len(self.parcels):
            self.wrong.append(f"{where}: not one of ours: {message[:400]!r}")
            return
        parcel = self.parcels[int(number[1])]
        parcel.found += 1
        self.rules = max(self.rules, int(above[1]))
        if message[above.end():] != parcel.text(self.seed):
            self.wrong.append(f"{where}: {parcel.number} is not what was sent: {len(message)} bytes, {message[:400]!r}")
        if (sender, recipients) != (parcel.sender, parcel.recipients):
            self.wrong.append(f"{where}: {parcel.number} is from {sender!r} to {recipients!r}")
        if not parcel.wanted:
            self.wrong.append(f"{where}: {parcel.number} was cut off or too large, and is there")

    def refuse(self, parcel: Parcel, answer: bytes) -> None:
        """Good mail was refused for good."""
        self.wrong.append(f"{parcel.number} from {parcel.source} was refused: {answer!r}")

    def lost(self) -> list[int]:
        """Those that were promised and are not there."""
        return [parcel.number for parcel in self.parcels if parcel.promised and not parcel.found]

    def doubled(self) -> list[int]:
        """Those that are there more often than an answer that was not seen explains."""
        return [parcel.number for parcel in self.parcels if parcel.found > parcel.promised + parcel.unsure]

    def summary(self) -> str:
        """In a line."""
        wanted = [parcel for parcel in self.parcels if parcel.wanted]
        return (f"{len(wanted)} good messages, {sum(parcel.promised for parcel in wanted)} promised, "
                f"{sum(parcel.found > 0 for parcel in wanted)} found, {sum(parcel.unsure > 0 for parcel in wanted)} unsure, "
                f"{sum(parcel.found > 1 for parcel in wanted)} double, {len(self.parcels) - len(wanted)} not to be taken")
