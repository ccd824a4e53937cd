"""The session's own policy over what the log has of a session: what is not in the log is not known, and is never guessed."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from zlib import crc32

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.checks.counts import VALUES
from qsmtpd.config import Config
from qsmtpd.knowledge import Knowledge
from qsmtpd.policy import Policy
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.env import Peer
from qsmtpd.rules import told
from qsmtpd.rules.rule import NOTING, Rules
from qsmtpd.rules.vocabulary import CONNECT
from qsmtpd.ruling import Ruling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsmtpd.checks.base import Check, Lookups, Question

CUT = 1000
"""Characters of a value in the log: of a longer one the last word is cut (logline.VALUE_MAX)."""

VALID = {b"valid": True, b"invalid": False}


class NotLoggedError(Exception):
    """What the rules ask is not in the log; names is what."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


class Known(NamedTuple):
    """A word of the log, with the stage that it belongs to."""

    stage: int
    name: str
    value: bool | float | None


class LoggedConfig(Config):
    """The site's settings and words, with rules to try.

    whole  all the rules; `rules` has those that decide, for the others ask for things that change nothing
    """

    def __init__(self, control: Control) -> None:
        super().__init__(control)
        self.whole = self.rules
        self.rules = Rules([
            rule for rule in self.whole.rules if not rule.action.shadow and rule.action.verb not in NOTING])
        self.databytes = self.tarpitcount = 0
        self.localiphost = None
        self.recipient = LoggedRecipient(asks_servers=self.rcptcallout is not None)
        self.hosts = self.valid = self.recipient  # type: ignore[assignment]  # it has what of both is asked
        self.rcptcheck = None
        self.rcptcallout = self.recipient
        self.known = lru_cache(100_000)(self._known)

    def check(self, name: str) -> "Check":
        """See Config."""
        return NOT_LOGGED

    def _known(self, text: bytes) -> tuple[Known, ...]:
        """The words of a value of "tags" or "asked", as far as they are words of these rules.

        Raises:
            ValueError: it is no such value.
        """
        if len(text) >= CUT:
            text = text.rpartition(b",")[0]
        found = []
        for name, value in told.read(text).items():
            term = self.vocabulary.get(name)
            if name.startswith("draw:"):
                found.append(Known(CONNECT, name, value))
            elif term is None or (name in VALUES and term.stage > CONNECT):
                continue  # of other rules, or what the policy counts itself
            elif value is None or (term.kind == "fact") is not isinstance(value, bool):
                found.append(Known(term.stage, name, value))
        return tuple(found)


class LoggedRecipient:
    """What the line of the recipient in hand says about it, for who else would look it up.

    ours, known  as in Mail
    server       what the next hop said: True, False, None for nothing; b"" when it was not asked
    """

    def __init__(self, *, asks_servers: bool) -> None:
        self.ours = True
        self.known: bool | None = None
        self.server: bool | None = True
        self.asked = True
        self._asks_servers = asks_servers

    def take(self, line: "Mapping[bytes, bytes]") -> None:
        """This line is in hand."""
        by_server = line.get(b"rule") == b"callout"
        self.ours = line.get(b"is") != b"foreign" and line.get(b"rule") != b"rcpthosts"
        self.known = None if by_server else VALID.get(line.get(b"is", b""))
        self.server = None if by_server and line[b"code"][:1] == b"4" else not by_server
        self.asked = by_server or line[b"code"][:1] == b"2" or not self._asks_servers

    def has(self, host: bytes | None, relay: bytes | None, lookups: "Lookups") -> bool:
        return self.ours

    async def knows(self, address: bytes, lookups: "Lookups") -> bool | None:
        return self.known

    async def __call__(self, mail: Mail, lookups: "Lookups") -> bool | None:
        if not self.asked:
            raise NotLoggedError(("callout",))
        if self.server is None:
            raise LookupFailedError("as logged")
        return self.server


class NotLogged:
    """Stands for every check, and for all that could be looked up."""

    def questions(self, mail: Mail, wanted: tuple[str, ...]) -> "Sequence[Question]":
        raise NotLoggedError(wanted)

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> NoReturn:
        raise NotLoggedError(wanted)


NOT_LOGGED = NotLogged()


class LoggedLookups:
    """Nothing can be looked up; what the rules draw is the same each time."""

    now = 0.0

    def __init__(self, identity: bytes) -> None:
        self._identity = identity

    def note(self, why: bytes) -> None:
        """There is no log."""

    def draw(self, line: int) -> float:
        return crc32(b"%b %d" % (self._identity, line)) / 2**32 * 100

    def __getattr__(self, name: str) -> NoReturn:
        raise NotLoggedError((name,))


class LoggedKnowledge(Knowledge):
    """Of a session of which the log does not say whether the client may relay."""

    __slots__ = ()

    async def ask(self, names: tuple[str, ...]) -> None:
        """See Knowledge."""
        if "relay" in names and "relay" not in self.values:
            raise NotLoggedError(("relay",))
        await super().ask(names)


def policy(config: LoggedConfig, identity: bytes, last: "Mapping[bytes, bytes]", relay: bool | None) -> Policy:
    """The policy of a session, of which nothing is known yet.

    last   its session line
    relay  None when the log does not say it
    """
    peer = Peer(last.get(b"ip", b"unknown"), last.get(b"ptr"), None, b"unknown")
    mail = Mail(peer, _no_variable)
    mail.relay = b"" if relay else None
    lookups: "Lookups" = LoggedLookups(identity)
    made = Policy(config, mail, lookups, _no_log)
    if relay is None:
        made.knowledge = LoggedKnowledge(mail, lookups, config.vocabulary, config, config.check)
        made.ruling = Ruling(config.rules, mail, made.knowledge, _no_log, None)
    return made


def _no_variable(name: str) -> None:
    """Mail asks for RELAYCLIENT, which the log says otherwise."""


def _no_log(line: int, text: bytes) -> None:
    """Rules that log are not read."""
