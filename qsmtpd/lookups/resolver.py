"""A small resolver for a process of one session: it asks the name servers of this machine, blocks, and is never late.

It keeps answers for the session, the time that the session may spend, and what rests because it does not answer.
"""

import time

from ..checks.base import LookupFailedError
from ..qmail import env
from ..qmail.control import Control, ControlError
from ..qmail.logline import quote
from ..qmail.settings import Setting, Settings
from . import dnsmessage
from .dnsbatch import Batch
from .dnssocket import Server
from .marks import Marks

SETTINGS = (
    Setting("dnscacheip", None, "Name servers: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, blanks between; default: resolv.conf."),
    Setting("dnstimeout", 10, "Seconds that a session may wait for DNS in all; after that what it asks is unknown."),
)

PATIENCE = 5.0
"""Seconds for one batch of questions."""
RESOLV_CONF = "/etc"
RESOLVER_MARK = b"+dns"
"""The mark of all DNS together; no zone has such a name."""
RESOLVER_REST = 30
"""Seconds for which no session asks anything after STRIKES batches of questions without any answer."""

_OUT_OF_TIME = "the session's time for DNS is used up"
_RESTING = "not asked for a while"


def from_system(control_directory: str, marks: Marks | None = None) -> "Resolver":
    """The resolver that the settings describe.

    marks  in place of those under QMAILHOME

    Raises:
        ControlError: see configured().
    """
    servers, budget = configured(Control(control_directory))
    return Resolver(servers, budget, marks or Marks(f"{env.qmail_home()}/frontline/marks"))


def configured(control: Control) -> tuple[list[Server], int]:
    """The servers that the settings name, and a session's budget in seconds.

    Raises:
        ControlError: a setting makes no sense, or a file cannot be read.
    """
    values = Settings(SETTINGS, control)
    named = values.text("dnscacheip")
    try:
        servers = [server(word) for word in named.split()] if named else system_servers(Control(RESOLV_CONF))
    except (OSError, ValueError) as error:
        found = quote((named or b"")[:100])
        raise ControlError(f"dnscacheip: expected ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, found {found}") from error
    return servers, values.number("dnstimeout")


def server(word: bytes) -> Server:
    """The server of a word of dnscacheip.

    Raises:
        OSError, ValueError: it is none.
    """
    address, _, port = word.decode("ascii").rpartition(":")
    if word.count(b":") == 1 or b"]:" in word:
        if not (port.isdigit() and 0 < int(port[:6]) < 65536):
            raise ValueError("no port")
        return Server(address[1:-1] if word.startswith(b"[") else address, int(port))
    return Server(word.decode("ascii"), 53)


def system_servers(control: Control) -> list[Server]:
    """The name servers of resolv.conf(5), 127.0.0.1 when there are none; its options are for programs with other needs."""
    servers = []
    for line in control.lines("resolv.conf") or ():
        words = line.split()
        if len(words) > 1 and words[0] == b"nameserver":
            try:
                servers.append(Server(words[1].decode("ascii"), 53))
            except (OSError, ValueError):
                continue
    return servers or [Server("127.0.0.1", 53)]


class Resolver:
    """See Dns.  What was asked once is known, failures too.

    budget  seconds that may be waited in all
    marks   who rests; None for nobody, ever
    """

    __slots__ = ("_answers", "_budget", "_first", "_marks", "_servers")

    def __init__(self, servers: "Sequence[Server]", budget: float, marks: Marks | None = None) -> None:
        self._servers = servers
        self._budget = budget
        self._marks = marks
        self._answers: dict[tuple[bytes, str], tuple[bytes, ...] | str] = {}
        self._first = 0

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        """See Dns.  A name that cannot exist has no records.

        Raises:
            LookupFailedError: nobody answered in time, or with sense.
        """
        key = (name.lower().removesuffix(b"."), kind)
        if key not in self._answers:
            await self._ask_all((key,))
        answer = self._answers[key]
        if isinstance(answer, str):
            raise LookupFailedError(f"{kind} of {quote(key[0])}: {answer}")
        return answer

    async def prefetch(self, questions: "Sequence[Question]") -> None:
        """See Dns."""
        await self._ask_all({(name.lower().removesuffix(b"."), kind): None for name, kind in questions})

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        """See Dns."""
        return self._marks is not None and self._marks.strike(zone, time.time(), strikes)

    def clear(self, zone: bytes) -> None:
        """See Dns."""
        if self._marks is not None:
            self._marks.clear(zone)

    async def _ask_all(self, keys: "Iterable[Question]") -> None:
        wanted: dict[Question, bytes] = {}
        for key in keys:
            if key in self._answers:
                continue
            try:
                asked = dnsmessage.question(*key)
            except ValueError:
                self._answers[key] = ()
                continue
            why = self._closed(key[0])
            if why is not None:
                self._answers[key] = why
            else:
                wanted[key] = asked
        if wanted:
            await self._wait(wanted)

    def _closed(self, name: bytes) -> str | None:
        """Why a name is not asked for; None when it is."""
        if self._budget <= 0:
            return _OUT_OF_TIME
        if self._marks is not None:
            now = time.time()
            if self._marks.has(RESOLVER_MARK, now) or self._marks.has(name, now):
                return _RESTING
        return None

    async def _wait(self, wanted: "dict[Question, bytes]") -> None:
        """Get the answers to some questions, by their sections; here it blocks."""
        batch = Batch(self._servers, self._first)
        for key, asked in wanted.items():
            batch.add(key, asked)
        start = time.monotonic()
        batch.run(start, start + min(PATIENCE, self._budget))
        self._budget -= time.monotonic() - start
        self._first = batch.first
        self._answers.update(batch.answers)
        if self._marks is None:
            return
        if batch.heard:
            self._marks.clear(RESOLVER_MARK)
        else:
            self._marks.strike(RESOLVER_MARK, time.time(), rest=RESOLVER_REST)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..checks.base import Question
