"""A message as qqshim has it when all has come in, without a caller; rules and what is known of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from qqshim.header import Filter
from qqshim.hearsay import Hearsay
from qqshim.knowledge import Knowledge
from qqshim.origin import NOBODY, Origin
from qqshim.receive import Mail
from qqshim.ruling import Ruled, Ruling
from qqshim.scanners.base import Finding
from qqshim.site import Site
from qqshim.spool import Spool
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.envelope import EnvelopeReader, build
from tests.qqshim.callers import MESSAGE

T = TypeVar("T")

VIRUS = Finding("clamd", virus=b"Eicar")
CLEAN = Finding("clamd")
SPAM = Finding("spamd", spam=True, score=7.5)
HAM = Finding("spamd", score=0.5)

STOCK = Origin(server=True, client=b"192.0.2.7", relay=False)


async def at_once(_long: bool, function: Callable[..., T], *arguments: object) -> T:
    """See Passage.work()."""
    return function(*arguments)


def session(told: bytes) -> Origin:
    """qsmtpd has called, and says this."""
    return Origin(server=True, client=b"192.0.2.7", relay=False, told=told, session=True)


def spooled(data: bytes) -> Spool:
    spool = Spool(b"/var/tmp")
    spool.write(data)
    return spool


def mail(*recipients: bytes, message: bytes = MESSAGE, sender: bytes = b"a@client.test") -> Mail:
    """To user@bench.test, unless said otherwise."""
    addresses = list(recipients) or [b"user@bench.test"]
    fields = Filter()
    kept = fields.feed(message) + fields.finish()
    envelope = build(sender, addresses)
    reader = EnvelopeReader()
    reader.feed(envelope)
    body = len(kept) if fields.body is None else fields.body
    return Mail(spooled(kept), body, spooled(envelope), reader, addresses[-1])


def site(directory: Path, rules: str, tags: str = "", *, carried_out: bool = False) -> Site:
    """The rules in a control directory."""
    if tags:
        (directory / "tags").write_text(tags)
    return Site(Control(str(directory)), rules.encode(), carried_out=carried_out)


class World:
    """A control directory for a test, with some words of its own."""

    def __init__(self, directory: Path, tags: str = "vip env VIP\nlist rcpt list\ndul dnsbl dul.test\n") -> None:
        self.directory = directory
        self.tags = tags

    def ruled(self, rules: str, *findings: Finding, origin: Origin = STOCK, of: Mail | None = None,
              quarantine: bytes | None = None) -> Ruled:
        """What the rules say of a message."""
        found = mail() if of is None else of
        says = site(self.directory, rules, self.tags, carried_out=origin.session)
        heard = Hearsay(origin.told, says.vocabulary)
        known = Knowledge(found, origin, says, findings)
        return Ruling(says, origin, found, heard, known).decide(quarantine, lambda: addresses(found))


def addresses(of: Mail) -> list[bytes]:
    """The recipients in its envelope."""
    return EnvelopeReader().feed(of.envelope.read(0, of.envelope.size))


__all__ = [
    "CLEAN", "HAM", "NOBODY", "SPAM", "STOCK", "VIRUS", "World", "addresses", "at_once", "mail", "session", "site", "spooled"]
