"""The cdbs of a site: whole, and not older than what they are made from."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, error, warning

HEADER = struct.Struct("<512I")
MAKERS = {"morercpthosts.cdb": "run qmail-newmrh", "validrcptto.cdb": "run validusers"}
"""What makes a cdb; of others the administrator knows."""


def check(directory: str, names: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with those of these files that exist."""
    for name in sorted(names):
        path = os.path.join(directory, name)
        try:
            yield from _check(path, MAKERS.get(os.path.basename(path), "make it again"))
        except FileNotFoundError:
            continue
        except OSError as failure:
            yield error(path, f"{failure.strerror}; what asks it is answered 4xx")


def _check(path: str, make: str) -> Iterator[Finding]:
    why = damage(Path(path))
    if why:
        yield error(path, f"no whole cdb, {why}: what asks it is answered 4xx; {make}")
        return
    if os.stat(path).st_size == HEADER.size and path.endswith("validrcptto.cdb"):
        yield warning(path, f"it has no key: every recipient is refused; {make}, or delete it")
    source = path.removesuffix(".cdb")
    if source != path and os.path.exists(source) and os.stat(source).st_mtime > os.stat(path).st_mtime:
        yield warning(path, f"older than {source}, which has changed; {make}")


def damage(path: Path) -> str:
    """Why a file is no cdb, "" when it looks like one: each of its 256 tables lies behind the header and before the end.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return f"it has {size} bytes"
    numbers = HEADER.unpack(header)
    for place, slots in zip(numbers[::2], numbers[1::2], strict=True):
        if place < HEADER.size:
            return "a table would stand in the header"
        if place + 8 * slots > size:
            return f"a table would end at byte {place + 8 * slots} of {size}"
    return ""
