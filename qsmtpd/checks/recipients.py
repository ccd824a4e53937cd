"""Which recipients exist, by s/qmail's control/recipients.

host:cdb, @host:cdb, *:cdb, cdb  a database with keys :user@host and :user-@host
host|program arguments, ...      a program, for the same hosts: it reads user@host and three NULs on descriptor 3; then, when
                                 that is no address, user-@host; its exit code is 0 (yes), 1 or 100 (no), or trouble
!host, !*                        all addresses exist

The first line that has the address is enough.
"""

from .base import LookupFailedError

YES, NO = 0, (1, 100)
"""Exit codes."""


class Recipients:
    """The file."""

    __slots__ = ("_lines",)

    def __init__(self, lines: list[bytes]) -> None:
        """Parse its lines.

        Raises:
            ValueError: one names a program without saying for whom, or the other way round.
        """
        self._lines = [Line(line) for line in lines]

    async def have(self, address: bytes, lookups: "Lookups") -> bool:
        """Whether an address in lower case exists by one of the lines.

        Raises:
            LookupFailedError: a database or program is not there, or has no answer.
        """
        user, _, host = address.rpartition(b"@")
        name, dash, _ = user.partition(b"-")
        candidates = [address, name + b"-@" + host] if dash else [address]
        for line in self._lines:
            if line.concerns(host):
                for candidate in candidates:
                    if await line.has(candidate, lookups):
                        return True
        return False


class Line:
    """A line; without a database and a program all addresses exist ("!host").

    host     b"*" for every domain, @host for just this one, else it and all below it
    cdb      the path of the database, absolute or relative to QMAILHOME; None for no database
    program  its path and arguments, () for no program
    """

    __slots__ = ("cdb", "host", "program")

    def __init__(self, text: bytes) -> None:
        """Parse it; errors as of Recipients."""
        host, bar, command = text.partition(b"|")
        self.cdb: str | None = None
        self.program: tuple[bytes, ...] = ()
        if text.startswith(b"!"):
            self.host = text[1:].lower()
        elif bar and b":" not in host:
            self.host = host.lower()
            self.program = tuple(command.split())
            if not (host and self.program):
                raise ValueError("expected host|program, or *|program")
        else:
            host, colon, cdb = text.rpartition(b":")
            self.host, self.cdb = host.lower() if colon else b"*", "./" + cdb.decode("utf-8", "surrogateescape")

    async def has(self, address: bytes, lookups: "Lookups") -> bool:
        """Whether an address exists by this line; errors as of Recipients.have()."""
        if self.program:
            path, *arguments = self.program
            code = await lookups.run(path, {}, tuple(arguments), address + b"\0\0\0")
            if code not in (YES, *NO):
                raise LookupFailedError(f"control/recipients: a program's exit code is {code}")
            return code == YES
        if self.cdb is None:
            return True
        found = lookups.has_key(self.cdb, b":" + address)
        if found is None:
            raise LookupFailedError(f"{self.cdb}: named in control/recipients, and not there")
        return found

    def concerns(self, host: bytes) -> bool:
        """Whether the line says something about recipients of a domain."""
        if self.host == b"*":
            return True
        if self.host.startswith(b"@"):
            return host == self.host[1:]
        return host == self.host or host.endswith(b"." + self.host)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
