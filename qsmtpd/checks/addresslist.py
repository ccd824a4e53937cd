"""The site's own tags of kind ip: the client's address is in a list (control/tags).

The list is a file of the control directory: addresses and netblocks, one a line (netblock.py says how they are written), or,
when its name ends in .cdb, a database with the keys of netblock.key().  A plain list is read at each session that asks for it:
beyond some thousand lines the database is what one wants.  A file that is not there is unknown, not empty: a list of friends
must not become nobody by a misspelt name.
"""

from ..listfiles import first_key, is_database, parsed
from ..netblock import Netblocks, address, keys, netblock
from .base import LookupFailedError, Mail


def configured(source: "Source") -> "AddressList":
    """The check, its plain lists read.

    Raises:
        ControlError: one of them cannot be read, or a line is neither an address nor a netblock.
    """
    files = {tag.name: tag.where for tag in source.tags.values() if tag.kind == "ip"}
    lists = {}
    for file in files.values():
        blocks = None if is_database(file) else parsed(source.control, file, netblock)
        if blocks is not None:
            lists[file] = Netblocks(blocks)
    return AddressList(files, lists)


class AddressList:
    """All tags of the kind."""

    def __init__(self, files: "Mapping[str, str]", lists: "Mapping[str, Netblocks]") -> None:
        """files  tag: its file; lists  file: what is in it, for the plain ones that are there."""
        self.files = files
        self.lists = lists

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        return {name: self._holds(name, mail, lookups) for name in wanted}

    def _holds(self, name: str, mail: Mail, lookups: "Lookups") -> bool | None:
        """Whether one of the tags holds; a list that cannot be read says nothing against the others."""
        file = self.files[name]
        try:
            entry = self._find(file, mail.ip, lookups)
        except LookupFailedError as error:
            lookups.note(f"{name}: {error}".encode("ascii", "replace"))
            return None
        if entry:
            mail.reasons[name] = b"%b from %b" % (entry, file.encode())
        return entry != b""

    def _find(self, file: str, ip: bytes, lookups: "Lookups") -> bytes:
        """The smallest entry around the address, b"" when there is none."""
        try:
            bits, number = address(ip)
        except ValueError as error:
            raise LookupFailedError("the client's address is not known") from error
        if file in self.lists:
            return self.lists[file].find(bits, number)
        entry = first_key(file, keys(ip), lookups) if is_database(file) else None
        if entry is None:
            raise LookupFailedError(f"{file}: no such file")
        return entry


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Findings, Lookups, Source
