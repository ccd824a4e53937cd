"""Who controls an address: assignments, and the search through them that qmail-lspawn makes (qmail-users(5)).

Each source of users (users/assign, the accounts that qmail-getpw knows) gives an iterable of Assignment; Users puts them
together in qmail's order: the first source that has anything for an address decides.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Assignment(NamedTuple):
    """Mail for `local`, or of a wildcard for every address that begins with it, is controlled by HOME/.qmail DASH EXT.

    local     in lower case
    wildcard  True: the rest of the address is appended to ext
    where     where it is written, to show to a person
    """

    local: bytes
    wildcard: bool
    home: bytes
    dash: bytes
    ext: bytes
    where: str


class Users:
    """All assignments in force."""

    def __init__(self, *sources: Iterable[Assignment]) -> None:
        """sources: in qmail's order; within one, simple beats wildcard and the first of two equal ones wins."""
        self._sources = [_Source(source) for source in sources]

    def __iter__(self) -> Iterator[Assignment]:
        """Every assignment that is not hidden by one for the same words in the same source."""
        for source in self._sources:
            yield from source.simple.values()
            yield from source.wildcards.values()

    def owner(self, local: bytes) -> tuple[Assignment, bytes] | None:
        """The assignment for an address in lower case and the ext that it gives; None when nobody controls it."""
        for source in self._sources:
            simple = source.simple.get(local)
            if simple:
                return simple, simple.ext
            wildcard = source.longest(local)
            if wildcard:
                return wildcard, wildcard.ext + local[len(wildcard.local):]
        return None

    def owner_of_all(self, beginning: bytes) -> Assignment | None:
        """The wildcard that covers every address with this beginning, save those that have a more specific assignment."""
        return next((found for source in self._sources if (found := source.longest(beginning))), None)


class _Source:
    def __init__(self, assignments: Iterable[Assignment]) -> None:
        self.simple: dict[bytes, Assignment] = {}
        self.wildcards: dict[bytes, Assignment] = {}
        for assignment in assignments:
            table = self.wildcards if assignment.wildcard else self.simple
            table.setdefault(assignment.local, assignment)

    def longest(self, local: bytes) -> Assignment | None:
        for end in range(len(local), -1, -1):
            found = self.wildcards.get(local[:end])
            if found:
                return found
        return None
