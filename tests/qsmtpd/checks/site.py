"""A site with these control files, and one question to a check."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import cdbx

from tests.qsmtpd.world import Source


def site(directory: Path, *, tags: bytes = b"", **files: bytes) -> Source:
    """What checks are configured from."""
    for name, text in files.items():
        (directory / name).write_bytes(text)
    return Source(directory, tags)


def database(path: Path, entries: "Mapping[bytes, bytes]") -> None:
    """A real cdb."""
    with path.open("wb") as file:
        maker = cdbx.CDB.make(file)
        for key, value in entries.items():
            maker.add(key, value)
        maker.commit()


def found(check: "Check", known: "Mail", lookups: "Lookups", *names: str) -> dict[str, bool | float | None]:
    """What a check says of some names, and of no others."""
    findings = asyncio.run(check(known, lookups, names))
    return {name: findings[name] for name in names}


def ask(check: "Check", known: "Mail", lookups: "Lookups", name: str) -> bool | float | None:
    """What a check says of one name."""
    return found(check, known, lookups, name)[name]


if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsmtpd.checks.base import Check, Lookups, Mail
