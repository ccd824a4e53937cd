"""A site of which a test knows everything: control files on the disk, what the look-ups answer, and the mail in hand."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.env import Peer
from qsmtpd.rules.site import SiteTag, parse_tags


class World:
    """Look-ups that answer from dicts; a value that is an exception is raised.

    notes  what the log was told; asked  the questions, in order
    """

    def __init__(self, databases: Mapping[str, Any] | None = None, dns: Mapping[bytes, Any] | None = None) -> None:
        self.databases = databases or {}
        self.names = dns or {}
        self.dns = self
        self.machine: Any = None
        self.own: frozenset[bytes] = frozenset()
        self.spoke_early = False
        self.notes: list[bytes] = []
        self.asked: list[Any] = []

    async def has_key(self, name: str, key: bytes) -> bool | None:
        self.asked.append((name, key))
        database = answered(self.databases.get(name))
        return None if database is None else key in database

    async def value(self, name: str, key: bytes) -> bytes | None:
        self.asked.append((name, key))
        database = answered(self.databases.get(name, {}))
        return database.get(key)  # type: ignore[no-any-return]

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        self.asked.append((name, kind))
        return answered(self.names.get(name, ()))  # type: ignore[no-any-return]

    async def is_own_address(self, ip: bytes) -> bool:
        return ip in self.own

    async def early(self, seconds: float) -> bool:
        self.asked.append(seconds)
        return self.spoke_early

    def note(self, why: bytes) -> None:
        self.notes.append(why)


def answered(value: Any) -> Any:
    """The value, unless it is an error."""
    if isinstance(value, Exception):
        raise value
    return value


class Site:
    """Source: control files in a directory, the tags of its control/tags; hosts and valid answer from what a test sets."""

    def __init__(self, directory: Path, **files: bytes) -> None:
        for name, text in files.items():
            (directory / name).write_bytes(text)
        self.control = Control(str(directory))
        self.tags: Mapping[str, SiteTag] = parse_tags(self.control.read("tags") or b"")
        self.hosts = self
        self.valid = self
        self.domains: frozenset[bytes] = frozenset()
        self.users: Any = frozenset()

    async def has(self, host: bytes | None, relay: bytes | None, lookups: Any) -> bool:
        return relay is not None or host is None or host in self.domains

    async def knows(self, address: bytes, lookups: Any) -> bool | None:
        return None if self.users is None else address in answered(self.users)


def mail(
        *, ip: bytes = b"192.0.2.1", ptr: bytes | None = None, helo: bytes | None = None, sender: bytes | None = None,
        recipient: bytes = b"", header: bytes | None = None, environment: Mapping[str, bytes] | None = None,
        local_ip: bytes = b"198.51.100.1", local_port: bytes | None = b"25",
) -> Mail:
    """A Mail of which this is known."""
    peer = Peer(ip, ptr, None, local_ip, local_ip=local_ip, local_port=local_port)
    known = Mail(peer, (environment or {}).get)
    known.helo = helo
    known.sender = sender
    known.recipient = recipient
    known.header = header
    return known


def ask(check: Any, known: Mail, world: World, *names: str) -> Any:
    """What a check finds: one value for one name, else a tuple of them."""
    findings = asyncio.run(check(known, world, names))
    values = tuple(findings[name] for name in names)
    return values[0] if len(values) == 1 else values


def broken(*_: Sequence[Any]) -> LookupFailedError:
    """An answer that is none."""
    return LookupFailedError("broken")
