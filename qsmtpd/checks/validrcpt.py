"""Which recipients exist, by the databases that the qmail world has for it; all that are there are asked.

validrcptto.cdb       J. Simpson: keys user@host, user-default@host for each dash from the right, @host
validrcptto, morevalidrcptto.cdb  sagredo: text and cdb; address, -address (refuse), @host, -@host, in this order
recipients            s/qmail: databases and programs for domains, see recipients.py

One that has the address is enough.  Where databases are and none has it, it does not exist; where there are none, nobody was
asked, nor where the mailboxes of the domain are elsewhere.  Postmaster without a domain always exists (RFC 5321 section 4.5.1).
"""

from ..address import AT


class ValidRcpt:
    """What the policy asks for every recipient in our domains, before any rule; it counts, and gives the reply."""

    def __init__(
            self, text: frozenset[bytes] | None, recipients: "Has | None", default_host: bytes,
            elsewhere: "Callable[[bytes], bool] | None" = None,
    ) -> None:
        """What the text files say; None for one that is not there.

        text          the lines of validrcptto in lower case
        recipients    whether recipients has an address in lower case
        default_host  what qmail-send appends to an address without "@": control/envnoathost
        elsewhere     whether the next hop has the mailboxes of a domain, and is asked about them; None: of no domain
        """
        self.text = text
        self.recipients = recipients
        self.default_host = default_host
        self.elsewhere = elsewhere
        self._asked: tuple[Asks, ...] = (ValidRcpt._simpson, ValidRcpt._sagredo)  # bound to us we would keep ourselves

    async def knows(self, address: bytes, lookups: "Lookups") -> bool | None:
        """Whether a recipient exists; None when there is nobody to ask."""
        address = address.lower()
        if AT not in address:
            if address == b"postmaster":
                return True
            address += b"@" + self.default_host
        host = address.rpartition(b"@")[2]
        for ask in self._asked:
            known = ask(self, address, host, lookups)
            if known:
                return True
            if known is None:  # it is not there, and a session sees one state of the databases
                self._asked = tuple([other for other in self._asked if other != ask])
        if self.recipients is not None and await self.recipients(address, lookups):
            return True
        if self.recipients is None and not self._asked:
            return None
        return None if self.elsewhere is not None and self.elsewhere(host) else False

    def _simpson(self, address: bytes, host: bytes, lookups: "Lookups") -> bool | None:
        found = lookups.has_key("validrcptto.cdb", address)
        if found is None or found:
            return found
        dash = address.rfind(b"-", 0, -len(host) - 1)
        while dash >= 0:
            if lookups.has_key("validrcptto.cdb", address[:dash + 1] + b"default@" + host):
                return True
            dash = address.rfind(b"-", 0, dash)
        return lookups.has_domain("validrcptto.cdb", host)

    def _sagredo(self, address: bytes, host: bytes, lookups: "Lookups") -> bool | None:
        name, whole = "morevalidrcptto.cdb", b"@" + host
        keys = [(address, True), (b"-" + address, False), (whole, True), (b"-" + whole, False)]
        if address.startswith(b"-"):
            del keys[0]  # it would be the entry that refuses the address without the dash
        for key, verdict in keys:
            found = lookups.has_domain(name, host) if key is whole else lookups.has_key(name, key)
            if found is None and self.text is None:
                return None
            if found or (self.text is not None and key in self.text):
                return verdict
        return False


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .base import Lookups

    Has = Callable[[bytes, Lookups], Awaitable[bool]]
    Asks = Callable[[ValidRcpt, bytes, bytes, Lookups], bool | None]
