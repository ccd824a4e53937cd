"""Every local address that qmail would deliver, before domains come into it: from the assignments and the .qmail files.

Names are found by reading directories backwards, from file to address; each is then looked up forwards, as qmail-lspawn and
qmail-local will, and counts only when that finds something.  So an assignment that hides another is never a mistake here.
"""

from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

from ..command import shown
from . import dotqmail
from .assignments import Assignment, Users
from .report import Report, Sample


class Mailboxes:
    """The local addresses, all in lower case.

    exact       address: its assignment
    beginnings  every address with this beginning is delivered, by a -default file: its assignment
    bouncing    those that a .qmail file accepts only to bounce them
    """

    def __init__(self, users: Users, report: Report) -> None:
        self.users = users
        self._home = cache(dotqmail.home)
        self.exact: dict[bytes, Assignment] = {}
        self.beginnings: dict[bytes, Assignment] = {}
        self.bouncing = Sample()
        self._unreadable: set[bytes] = set()
        for assignment in users:
            self._collect(assignment, report)
        self._sorted = sorted(self.exact)
        self._sorted_beginnings = sorted(self.beginnings)

    def delivered(self, local: bytes) -> Assignment | None:
        """The assignment of an address that would be delivered; None when it would bounce."""
        found = self.users.owner(local)
        if not found:
            return None
        assignment, ext = found
        name = self._home(assignment.home).find(assignment.dash, ext)
        return assignment if name is not None or not assignment.dash else None

    def unknown(self, local: bytes) -> bool:
        """Whether nobody can say if an address is delivered, because its home directory could not be read."""
        found = self.users.owner(local)
        return found is not None and found[0].dash != b"" and found[0].home in self._unreadable

    def exact_after(self, beginning: bytes) -> Iterator[tuple[bytes, Assignment]]:
        """The addresses with a beginning, without it; never an empty one."""
        for index in range(bisect_left(self._sorted, beginning), len(self._sorted)):
            local = self._sorted[index]
            if not local.startswith(beginning):
                break
            if local != beginning:
                yield local[len(beginning):], self.exact[local]

    def beginnings_after(self, beginning: bytes) -> Iterator[tuple[bytes, Assignment]]:
        """What is delivered, without the beginning: b"" when that is every address with it."""
        for end in range(len(beginning)):
            wider = self.beginnings.get(beginning[:end])
            if wider and self.users.owner_of_all(beginning) is wider:
                yield b"", wider
        for index in range(bisect_left(self._sorted_beginnings, beginning), len(self._sorted_beginnings)):
            found = self._sorted_beginnings[index]
            if not found.startswith(beginning):
                break
            yield found[len(beginning):], self.beginnings[found]

    def _collect(self, assignment: Assignment, report: Report) -> None:
        home = self._home(assignment.home)
        if home.error and assignment.home not in self._unreadable:
            self._unreadable.add(assignment.home)
            report.incomplete(
                f"{shown(assignment.home)}: {home.error.strerror} ({assignment.where}): its extension addresses are not "
                "known; those of the last cdb are kept, new ones are refused until this is mended", "such homes")
        if not assignment.wildcard:
            self._add(assignment.local)
            return
        if not assignment.dash:
            self._add_beginning(assignment.local, assignment)
        for name in sorted(home.files):
            if name.startswith(assignment.dash) and b"\n" not in name:
                self._from_file(assignment, home, name)

    def _from_file(self, assignment: Assignment, home: dotqmail.Home, name: bytes) -> None:
        """A wildcard's addresses that a file NAME may control: one, and for a -default file all with a beginning."""
        ext = name[len(assignment.dash):]
        pre = dotqmail.safe_ext(assignment.ext)
        if ext.startswith(pre):
            self._add(assignment.local + ext[len(pre):].replace(b":", b".").lower())
        stem = ext.removesuffix(dotqmail.DEFAULT)
        if stem == ext or not (stem == b"" or stem.endswith(b"-")):
            return
        if stem.startswith(pre) or pre.startswith(stem):
            beginning = assignment.local + stem[len(pre):].replace(b":", b".")
            if stem == dotqmail.safe_ext(stem) and self._add_beginning(beginning, assignment) and home.always_bounces(name):
                self.bouncing.add(beginning + b"*")

    def _add(self, local: bytes) -> None:
        if local in self.exact or not local:
            return
        assignment = self.delivered(local)
        if assignment:
            self.exact[local] = assignment
            _, ext = self.users.owner(local) or (None, b"")
            home = self._home(assignment.home)
            name = home.find(assignment.dash, ext)
            if name is not None and not name.endswith(dotqmail.DEFAULT) and home.always_bounces(name):
                self.bouncing.add(local)

    def _add_beginning(self, beginning: bytes, assignment: Assignment) -> bool:
        if beginning in self.beginnings or self.users.owner_of_all(beginning) is not assignment:
            return False
        self.beginnings[beginning] = assignment
        return True


def key(beginning: bytes, domain: bytes) -> bytes | None:
    """The key that stands for all addresses with a beginning; None when validrcptto.cdb has none that is so narrow."""
    if not beginning:
        return b"@" + domain
    return beginning + dotqmail.DEFAULT + b"@" + domain if beginning.endswith(b"-") else None


def too_wide(beginning: bytes, domain: bytes, assignment: Assignment) -> str:
    """What to tell when key() has none."""
    return (f'{assignment.where}: every address at {shown(domain)} is accepted, for validrcptto.cdb cannot say "all that begin '
            f'with {shown(beginning)}": only a beginning that ends in "-" can be said')
