"""Clients of whom we know only good: the tag known-good.

By control/knowngood, addresses and netblocks, one a line (netblock.py); or by a record in the store, which a client earns with
enough accepted messages over enough days, none refused (SETTINGS), and which lapses by itself.  The record is of an IPv4
address or an IPv6 /64.  It is the last that a full store lets go: its key begins with "!".
"""

from ..correspondents import network
from ..listfiles import parsed
from ..netblock import Netblocks, address, netblock, written
from ..qmail.settings import Setting, Settings
from .base import LookupFailedError, Mail

SETTINGS = (
    Setting("knowngoodmessages", 20, "Accepted messages after which a client is known good, with none refused; 0: never."),
    Setting("knowngooddays", 7, "Days that have to lie between the first of them and today."),
    Setting("knowngoodscore", 5, "The score above which an accepted message speaks against its client like a refused one."),
    Setting("knowngoodkeep", 35, "Days after the last of them until the client is a stranger again."),
)

DAY = 86400.0
DIGITS_MAX = 20
"""Of a number in a record (A59)."""


def configured(source: "Source") -> "KnownGood":
    """The check, its list read.

    Raises:
        ControlError: a file cannot be read, a setting is no number, or a line of the list is no address or netblock.
    """
    values = Settings(SETTINGS, source.control)
    return KnownGood(
        Netblocks(parsed(source.control, "knowngood", netblock) or ()),
        values.number("knowngoodmessages"), values.number("knowngooddays") * DAY, values.number("knowngoodkeep") * DAY,
        values.number("knowngoodscore"))


class Record:
    """What is remembered of a client: when its first and its last message were accepted (seconds since 1970), and how many."""

    __slots__ = ("first", "last", "messages")

    def __init__(self, first: int, last: int, messages: int) -> None:
        self.first = first
        self.last = last
        self.messages = messages

    def line(self) -> bytes:
        return b"%d %d %d" % (self.first, self.last, self.messages)


class KnownGood:
    """The check of one session."""

    def __init__(self, listed: Netblocks, messages: int, age: float, keep: float, score: float = 5) -> None:
        """listed  who is good because we say so; messages, age, keep, score  as in SETTINGS, in seconds."""
        self.listed = listed
        self.messages = messages
        self.age = age
        self.keep = keep
        self.score = score

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        bits, number = _client(mail)
        entry = self.listed.find(bits, number)
        if entry:
            mail.reasons["known-good"] = entry + b" from knowngood"
            return {"known-good": True}
        record = await self._record(_key(bits, number, mail), lookups) if self.messages else None
        good = record is not None and record.messages >= self.messages and lookups.now - record.first >= self.age
        if good and record:
            days = (lookups.now - record.first) // DAY
            mail.reasons["known-good"] = b"%d messages in %d days, none refused" % (record.messages, days)
        return {"known-good": good}

    async def learn(self, mail: Mail, lookups: "Lookups", code: int) -> None:
        """See Learns: one more accepted message, or one refused, which ends it; of a temporary failure nothing is learned."""
        if not self.messages:
            return
        key = _key(*_client(mail), mail)
        now = int(lookups.now)
        if mail.score is not None and mail.score > self.score:
            code = 554
        if 200 <= code < 300:
            record = await self._record(key, lookups) or Record(now, now, 0)
            record.last = max(record.last, now)
            record.messages += 1
            await lookups.store.put(b"!good:" + key, record.line(), self.keep)
        elif code >= 500 and await lookups.store.get(b"!good:" + key) is not None:
            await lookups.store.put(b"!bad:" + key, b"%d" % now, self.keep)
            await lookups.store.put(b"!good:" + key, b"", 0)

    async def _record(self, key: bytes, lookups: "Lookups") -> Record | None:
        """The record of a client; one that began before a refusal is none: another session wrote it at that very moment."""
        record = _parsed(await lookups.store.get(b"!good:" + key))
        if record is None:
            return None
        refused = await lookups.store.get(b"!bad:" + key)
        if refused is not None and _is_number(refused) and record.first <= int(refused):
            return None
        return record


def _parsed(value: bytes | None) -> Record | None:
    parts = (value or b"").split(b" ")
    if len(parts) != 3 or not all(_is_number(part) for part in parts):
        return None
    return Record(int(parts[0]), int(parts[1]), int(parts[2]))


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= DIGITS_MAX


def _client(mail: Mail) -> tuple[int, int]:
    try:
        return address(mail.ip)
    except ValueError as error:
        raise LookupFailedError("the client's address is not known") from error


def _key(bits: int, number: int, mail: Mail) -> bytes:
    return written(bits, number) if bits == 32 else network(mail.ip)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
