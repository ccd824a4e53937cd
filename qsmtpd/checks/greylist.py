"""How long client, sender and recipient have been known together: the fact greylist-age, in minutes.

Asks the store; control/greylistwindow, greylistkeep and greylistawl say how long it remembers (SETTINGS).  What is seen for the
first time is written down; when it comes back within the window and its message is accepted, it is kept for weeks.  The client
is the domain for which SPF has passed, else its netblock, so that a provider's many machines are one.  A client whose messages
have come back often enough is not greylisted any more: its age is FOREVER.  docs/greylisting.md tells the postmaster.

What is first seen may never come back: its keys begin with "?", and a full store lets go of them first (A110).
"""

from ..correspondents import key, network
from ..qmail.settings import Setting, Settings
from .base import LookupFailedError, Mail

SETTINGS = (
    Setting("greylistwindow", 48, "Hours within which a greylisted sender has to come back."),
    Setting("greylistkeep", 35, "Days for which one who came back is remembered after each message."),
    Setting("greylistawl", 5, "Accepted messages, one an hour, after which a client is no longer greylisted; 0: never."),
)

FOREVER = 1e9
"""Minutes."""

HOUR, DAY = 3600.0, 86400.0

REMEMBERED_MAX = 1000
"""Triplets of one session."""
DIGITS_MAX = 20
"""Of a number in the store (A59)."""


def configured(source: "Source") -> "Greylist":
    """The check.

    Raises:
        ControlError: a setting cannot be read, or is no number.
    """
    values = Settings(SETTINGS, source.control)
    return Greylist(values.number("greylistwindow") * HOUR, values.number("greylistkeep") * DAY, values.number("greylistawl"))


class Seen:
    """A triplet of this session.

    origin  the client: @DOMAIN or a netblock
    first   when it was first seen, seconds since 1970
    known   whether it had come back before
    """

    __slots__ = ("first", "known", "origin")

    def __init__(self, origin: bytes, first: float, known: bool) -> None:
        self.origin = origin
        self.first = first
        self.known = known


class Greylist:
    """The check of one session."""

    def __init__(self, window: float, keep: float, enough: int) -> None:
        """window, keep  seconds for which first seen and confirmed ones live; enough  successes, 0 for never."""
        self.window = window
        self.keep = keep
        self.enough = enough
        self._trusted: dict[bytes, float | None] = {}
        self._seen: dict[bytes, Seen] = {}

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        origins = _origins(mail)
        for origin in origins:
            if await self._since(origin, lookups) is not None:
                mail.reasons["greylist-age"] = b"mail from %b has come back often" % origin
                return {"greylist-age": FOREVER}
        seen = await self._find(mail, origins, lookups)
        waited = (lookups.now - seen.first) / 60
        if waited < 0 and seen.known:  # the clock went back
            waited = FOREVER
        mail.reasons["greylist-age"] = b"first seen %d min ago" % max(waited, 0)
        return {"greylist-age": max(waited, 0)}

    async def learn(self, mail: Mail, lookups: "Lookups", code: int) -> None:
        """See Learns: an accepted message confirms its triplets and speaks for its client, a refused one speaks against it."""
        if not (200 <= code < 300 or code >= 500):
            return
        origins = {origin for origin in _origins(mail) if self._trusted.get(origin) is not None}
        for name in {self._name(mail, origin, recipient) for origin in _origins(mail) for recipient in mail.recipients}:
            seen = self._seen.get(name)
            if seen is None or not (seen.known or lookups.now - seen.first >= 60):
                continue  # a shadow rule let it pass at first sight: that shows nothing
            origins.add(seen.origin)
            if code < 300:
                await self._confirm(name, seen, mail, lookups)
        for origin in origins:
            await (self._success(origin, lookups) if code < 300 else self._failure(origin, lookups))

    async def _since(self, origin: bytes, lookups: "Lookups") -> float | None:
        """Since when a client is not greylisted, None when it is."""
        if origin not in self._trusted:
            self._trusted[origin] = _number(await lookups.store.get(b"grey-trusted:" + origin)) if self.enough else None
        return self._trusted[origin]

    async def _find(self, mail: Mail, origins: list[bytes], lookups: "Lookups") -> Seen:
        """The triplet in hand as it is known; it is written down when it is new."""
        for origin in origins:
            name = self._name(mail, origin, mail.recipient)
            for space, known in ((b"grey:", True), (b"?grey:", False)):
                first = _number(await lookups.store.get(space + name))
                if first is not None and (known or first <= lookups.now):
                    return self._remember(name, Seen(origin, first, known))
        name = self._name(mail, origins[0], mail.recipient)
        await lookups.store.put(b"?grey:" + name, b"%d" % lookups.now, self.window)
        return self._remember(name, Seen(origins[0], lookups.now, False))

    def _remember(self, name: bytes, seen: Seen) -> Seen:
        if len(self._seen) < REMEMBERED_MAX:
            self._seen[name] = seen
        return seen

    @staticmethod
    def _name(mail: Mail, origin: bytes, recipient: bytes) -> bytes:
        return key(origin, mail.sender or b"", recipient)

    async def _confirm(self, name: bytes, seen: Seen, mail: Mail, lookups: "Lookups") -> None:
        await lookups.store.put(b"grey:" + name, b"%d" % seen.first, self.keep)
        if not seen.known:
            await lookups.store.put(b"?grey:" + name, b"", 0)
            mail.waited = max(int((lookups.now - seen.first) / 60), 0)
            seen.known = True

    async def _success(self, origin: bytes, lookups: "Lookups") -> None:
        since = self._trusted.get(origin)
        if since is not None:
            if not 0 <= lookups.now - since < DAY:
                await self._trust(origin, lookups)
            return
        if not self.enough or not await lookups.store.claim(b"grey-hour:" + origin, HOUR):
            return
        if await lookups.store.count(b"grey-passed:" + origin, 1, self.keep) > self.enough - 0.5:
            await self._trust(origin, lookups)

    async def _trust(self, origin: bytes, lookups: "Lookups") -> None:
        await lookups.store.put(b"grey-trusted:" + origin, b"%d" % lookups.now, self.keep)
        self._trusted[origin] = lookups.now

    async def _failure(self, origin: bytes, lookups: "Lookups") -> None:
        """A refusal weighs as much as all that is needed."""
        if self.enough and await lookups.store.count(b"grey-passed:" + origin, -self.enough, self.keep) < self.enough - 0.5:
            await lookups.store.put(b"grey-trusted:" + origin, b"", 0)
            self._trusted[origin] = None


def _origins(mail: Mail) -> list[bytes]:
    """The names under which the client may be known, the best first.

    Raises:
        LookupFailedError: nobody said who the client is.
    """
    try:
        origins = [network(mail.ip)]
    except ValueError as error:
        raise LookupFailedError("the client's address is not known") from error
    if mail.spf_domain:
        origins.insert(0, b"@" + mail.spf_domain.lower())
    return origins


def _number(value: bytes | None) -> float | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= DIGITS_MAX else None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
