"""The site's own tags of kind ptr, helo, sender and rcpt: a name is in a list (control/tags).

    ptr     the client's name: TCPREMOTEHOST, else what the DNS says.  It is verified only under tcpserver -p: whoever has the
            address may write any name there, so who is let pass by it wants "& !ptr-unconfirmed" behind it
    helo    what the client calls itself
    sender, rcpt  the address in hand; names.py says what entries there are

The list is a file of the control directory, one entry a line, or, when its name ends in .cdb, a database whose keys are the
entries in lower case.  A name is looked up, never searched for.  A file that is not there is unknown, not empty.
"""

from ..listfiles import first_key, is_database, parsed
from ..names import address_entry, address_keys, host_entry, host_keys
from ..netblock import reverse
from .base import LookupFailedError, Mail

ENTRIES = {"ptr": host_entry, "helo": host_entry, "sender": address_entry, "rcpt": address_entry}


def configured(source: "Source") -> "NameList":
    """The check, its plain lists read.

    Raises:
        ControlError: one of them cannot be read, or has a line that no name could be found by.
    """
    tags = {tag.name: (tag.kind, tag.where) for tag in source.tags.values() if tag.kind in ENTRIES}
    lists = {}
    for kind, file in tags.values():
        entries = None if is_database(file) else parsed(source.control, file, ENTRIES[kind])
        if entries is not None:
            lists[file] = frozenset(entries)
    return NameList(tags, lists)


class NameList:
    """All tags of these kinds."""

    def __init__(self, tags: "Mapping[str, tuple[str, str]]", lists: "Mapping[str, frozenset[bytes]]") -> None:
        """tags  name: kind and file; lists  file: what is in it, for the plain ones that are there."""
        self.tags = tags
        self.lists = lists

    def questions(self, mail: Mail, wanted: tuple[str, ...]) -> "Sequence[Question]":
        """See AsksDns."""
        if mail.ptr is None and any(self.tags[name][0] == "ptr" for name in wanted):
            try:
                return [(reverse(mail.ip), "PTR")]
            except ValueError:
                pass
        return ()

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        return {name: await self._holds(name, mail, lookups) for name in wanted}

    async def _holds(self, name: str, mail: Mail, lookups: "Lookups") -> bool | None:
        """Whether one of the tags holds; a list that cannot be read says nothing against the others."""
        kind, file = self.tags[name]
        try:
            entry = self._find(file, await _keys(kind, mail, lookups), lookups)
        except LookupFailedError as error:
            lookups.note(f"{name}: {error}".encode("ascii", "replace"))
            return None
        if entry:
            mail.reasons[name] = b"%b from %b" % (entry, file.encode())
        return entry != b""

    def _find(self, file: str, keys: list[bytes], lookups: "Lookups") -> bytes:
        """The first of the keys that is in a list, b"" when none is."""
        if file in self.lists:
            entries = self.lists[file]
            return next((key for key in keys if key in entries), b"")
        entry = first_key(file, keys, lookups) if is_database(file) else None
        if entry is None:
            raise LookupFailedError(f"{file}: no such file")
        return entry


async def _keys(kind: str, mail: Mail, lookups: "Lookups") -> list[bytes]:
    """What a list of the kind may have for this mail.

    Raises:
        LookupFailedError: the client's name cannot be found out.
    """
    if kind == "helo":
        return host_keys(mail.helo or b"")
    if kind == "sender":
        return address_keys(mail.sender or b"")
    if kind == "rcpt":
        return address_keys(mail.recipient)
    if mail.ptr is not None:
        return host_keys(mail.ptr)
    try:
        names = await lookups.dns.ask(reverse(mail.ip), "PTR")
    except ValueError as error:
        raise LookupFailedError("the client's address is not known") from error
    return [key for name in names for key in host_keys(name)]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .base import Findings, Lookups, Question, Source
