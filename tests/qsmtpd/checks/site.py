"""A site with these control files, and one question to a check."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from tests.qsmtpd.world import DictLookups, Source


def site(directory: Path, *, tags: bytes = b"", **files: bytes) -> Source:
    """What checks are configured from."""
    for name, text in files.items():
        (directory / name).write_bytes(text)
    return Source(directory, tags)


def found(check: "Check", known: "Mail", lookups: DictLookups, *names: str) -> dict[str, bool | float | None]:
    """What a check says of some names, and of no others."""
    findings = asyncio.run(check(known, lookups, names))
    return {name: findings[name] for name in names}


def ask(check: "Check", known: "Mail", lookups: DictLookups, name: str) -> bool | float | None:
    """What a check says of one name."""
    return found(check, known, lookups, name)[name]


if TYPE_CHECKING:
    from qsmtpd.checks.base import Check, Mail
