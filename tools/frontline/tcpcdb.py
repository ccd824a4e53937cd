"""What tcpserver(1) finds in its cdb of rules for a client: the variables it sets, or that it denies the connection."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cdbx

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.blocking import BlockingLookups
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.tcprules import order

from ..command import MistakeError, shown
from .databases import damage


class Found(NamedTuple):
    """What there is for a client.

    rule       the address of the rule that tcpserver takes, None when it has none for the client
    allow      False: it closes the connection without a word
    variables  that it sets
    """

    rule: bytes | None
    allow: bool
    variables: dict[str, bytes]


def look_up(path: str, ip: bytes, host: bytes | None = None) -> Found:
    """The instructions for a client; host is the name that tcpserver knows it by.

    Raises:
        OSError: the file cannot be read.
        MistakeError: it is no cdb of tcprules(1).
    """
    os.close(os.open(path, os.O_RDONLY))  # of a session's own cdbs one may be missing, of this one not
    lookups = BlockingLookups(Control("/"), "/", now=0, note=lambda why: None)
    name = f"./{os.path.abspath(path)}"
    try:
        for address in order(ip, host):
            instructions = lookups.value(name, address)
            if instructions is not None:
                return _read(address, instructions)
    except (ValueError, LookupFailedError) as error:
        raise MistakeError(f"{shown(os.fsencode(path))}: expected a cdb that tcprules has made: {error}") from error
    return Found(None, True, {})


def variables(path: str) -> Iterator[dict[str, bytes]]:
    """What each rule of the cdb sets.

    Raises:
        OSError, MistakeError: as above.
    """
    why = damage(Path(path))
    if why:
        raise MistakeError(f"{shown(os.fsencode(path))}: expected a cdb that tcprules has made: {why}")
    database = cdbx.CDB(path, mmap=False)
    for address in database.keys():  # noqa: SIM118 - it is no dict
        yield _read(address, database.get(address)).variables


def _read(address: bytes, instructions: bytes) -> Found:
    """What tcprules has written: "D" to deny, "+NAME=VALUE" to set, each with a NUL behind it."""
    *parts, rest = instructions.split(b"\0")
    allow, variables = True, {}
    for part in parts:
        name, equals, value = part[1:].partition(b"=")
        if part == b"D":
            allow = False
        elif part.startswith(b"+") and equals:
            variables[name.decode("ascii", "surrogateescape")] = value
        else:
            raise ValueError(f'the rule for "{shown(address)}" is none')
    if rest:
        raise ValueError(f'the rule for "{shown(address)}" is cut off')
    return Found(address, allow, variables)
