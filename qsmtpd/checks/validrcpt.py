"""Which recipients exist, by the databases that the qmail world has for it; all that are there are asked.

validrcptto.cdb       J. Simpson: keys user@host, user-default@host for each dash from the right, @host
validrcptto, morevalidrcptto.cdb  sagredo: text and cdb; address, -address (refuse), @host, -@host, in this order
recipients            s/qmail: databases and programs for domains, see recipients.py

One that has the address is enough.  Where databases are and none has it, it does not exist; where there are none, nobody was
asked, nor where the mailboxes of the domain are elsewhere.  Postmaster without a domain always exists (RFC 5321 section 4.5.1).
"""


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
        self._asked = [self._simpson, self._sagredo]

    async def knows(self, address: bytes, lookups: "Lookups") -> bool | None:
        """Whether a recipient exists; None when there is nobody to ask."""
        address = address.lower()
        if address == b"postmaster":
            return True
        if b"@" not in address:
            address += b"@" + self.default_host
        for ask in tuple(self._asked):
            known = ask(address, lookups)
            if known:
                return True
            if known is None and ask in self._asked:
                self._asked.remove(ask)  # it is not there, and a session sees one state of the databases
        if self.recipients is not None and await self.recipients(address, lookups):
            return True
        if self.recipients is None and not self._asked:
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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .base import Lookups

    Has = Callable[[bytes, Lookups], Awaitable[bool]]
