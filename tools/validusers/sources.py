"""The shape that every source of addresses has."""

from collections.abc import Iterable
from typing import NamedTuple


class Source(NamedTuple):
    """Where addresses come from.

    name  what the summary calls it
    keys  in the form of validrcptto.cdb: user@dom, user-default@dom, @dom, in lower case; duplicates and any order are welcome,
          and they are asked for once, so that a source of any size can make them on the way
    """

    name: str
    keys: Iterable[bytes]
