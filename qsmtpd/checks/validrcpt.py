"""Which recipients exist, by the databases that the qmail world has for it; all that are there are asked.

validrcptto.cdb       J. Simpson: keys user@host, user-default@host for each dash from the right, @host
validrcptto, morevalidrcptto.cdb  sagredo: text and cdb; address, -address (refuse), @host, -@host, in this order
recipients            s/qmail: lines "host:cdb", "@host:cdb", "*:cdb", "cdb", "!host", "!*"; keys :user@host, :user-@host; and
                      "host|program arguments", with the same hosts: it reads user@host, three NULs, on descriptor 3, then,
                      when that is no address, user-@host; its exit code is 0 (yes), 1 or 100 (no), or trouble

One that has the address is enough.  Where databases are and none has it, it does not exist; where there are none, nobody was
asked, nor where the mailboxes of the domain are elsewhere.  Postmaster without a domain always exists (RFC 5321 section 4.5.1).
"""

from .base import LookupFailedError

AT, DASH = b"@-"
YES, NO = 0, (1, 100)
"""Exit codes."""


class ValidRcpt:
    """What the policy asks for every recipient in our domains, before any rule; it counts, and gives the reply."""

    def __init__(
            self, text: frozenset[bytes] | None, rules: "tuple[RecipientsRule, ...] | None", default_host: bytes,
            elsewhere: "Callable[[bytes], bool] | None" = None,
    ) -> None:
        """The parsed text files; None for one that is not there.

        text          the lines of validrcptto in lower case
        rules         the lines of recipients
        default_host  what qmail-send appends to an address without "@": control/envnoathost
        elsewhere     whether the next hop has the mailboxes of a domain, and is asked about them; None: of no domain
        """
        self.text = text
        self.rules = rules
        self.default_host = default_host
        self.elsewhere = elsewhere
        self._asked = [self._simpson, self._sagredo]

    async def knows(self, address: bytes, lookups: "Lookups") -> bool | None:
        """Whether a recipient exists; None when there is nobody to ask."""
        address = address.lower()
        if address == b"postmaster":
            return True
        if AT not in address:
            address += b"@" + self.default_host
        for ask in tuple(self._asked):
            known = ask(address, lookups)
            if known:
                return True
            if known is None and ask in self._asked:
                self._asked.remove(ask)  # it is not there, and a session sees one state of the databases
        if self.rules is not None and await self._sqmail(address, self.rules, lookups):
            return True
        if self.rules is None and not self._asked:
            return None
        return None if self.elsewhere is not None and self.elsewhere(address.rpartition(b"@")[2]) else False

    def _simpson(self, address: bytes, lookups: "Lookups") -> bool | None:
        user, _, host = address.rpartition(b"@")
        found = lookups.has_key("validrcptto.cdb", address)
        if found is None or found:
            return found
        dash = user.rfind(b"-")
        while dash >= 0:
            if lookups.has_key("validrcptto.cdb", user[:dash + 1] + b"default@" + host):
                return True
            dash = user.rfind(b"-", 0, dash)
        return lookups.has_key("validrcptto.cdb", b"@" + host)

    def _sagredo(self, address: bytes, lookups: "Lookups") -> bool | None:
        host = b"@" + address.rpartition(b"@")[2]
        keys = [(address, True), (b"-" + address, False), (host, True), (b"-" + host, False)]
        if address.startswith(b"-"):
            del keys[0]  # it would be the entry that refuses the address without the dash
        for key, verdict in keys:
            found = lookups.has_key("morevalidrcptto.cdb", key)
            if found is None and self.text is None:
                return None
            if found or (self.text is not None and key in self.text):
                return verdict
        return False

    @staticmethod
    async def _sqmail(address: bytes, rules: "tuple[RecipientsRule, ...]", lookups: "Lookups") -> bool:
        user, _, host = address.rpartition(b"@")
        candidates = [address]
        if DASH in user:
            candidates.append(user.partition(b"-")[0] + b"-@" + host)
        for rule in rules:
            if rule.concerns(host):
                for candidate in candidates:
                    if await rule.has(candidate, lookups):
                        return True
        return False


class RecipientsRule:
    """A line of s/qmail's control/recipients; without a database and a program all addresses exist ("!host").

    host     b"*" for every domain, @host for just this one, else it and all below it
    cdb      the path of the database, absolute or relative to QMAILHOME; None for no database
    program  its path and arguments, () for no program
    """

    __slots__ = ("cdb", "host", "program")

    def __init__(self, line: bytes) -> None:
        """Parse the line.

        Raises:
            ValueError: it names a program without saying for whom, or the other way round.
        """
        host, bar, command = line.partition(b"|")
        self.cdb: str | None = None
        self.program: tuple[bytes, ...] = ()
        if line.startswith(b"!"):
            self.host = line[1:].lower()
        elif bar and b":" not in host:
            self.host = host.lower()
            self.program = tuple(command.split())
            if not (host and self.program):
                raise ValueError("expected host|program, or *|program")
        else:
            host, colon, cdb = line.rpartition(b":")
            self.host, self.cdb = host.lower() if colon else b"*", "./" + cdb.decode("utf-8", "surrogateescape")

    async def has(self, address: bytes, lookups: "Lookups") -> bool:
        """Whether an address exists by this line.

        Raises:
            LookupFailedError: its database or program is not there, or has no answer.
        """
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
    from collections.abc import Callable

    from .base import Lookups
