"""Where qmail-send takes an address: control/locals, virtualdomains (qmail-send(8)); rcpthosts (qmail-smtpd(8)).

    user@dom:prepend   dom:prepend   .dom:prepend   :prepend      an empty prepend: an exception

locals is asked first; then virtualdomains for the address, its domain, each tail of the domain that begins with a dot, and the
empty word; the first that is there decides.  Of two lines for one word the last counts, a line without a colon is nothing, and
upper case is lower case.
"""

from collections.abc import Iterable, Iterator

from qsmtpd.qmail.control import Control, ControlError

from .cdbfile import records


class Routes:
    """What becomes of addresses after they were accepted."""

    def __init__(self, local: Iterable[bytes], virtual: Iterable[bytes]) -> None:
        """local, virtual: the lines of control/locals and control/virtualdomains."""
        self.locals = frozenset(line.lower() for line in local)
        pairs = (line.partition(b":") for line in virtual)
        self.virtual = {word.lower(): prepend.lower() for word, colon, prepend in pairs if colon}

    def local_part(self, user: bytes, domain: bytes) -> bytes | None:
        """The part before the "@" that qmail-lspawn sees; None: the mail goes to another host.  All in lower case."""
        if domain in self.locals:
            return user
        prepend = self.virtual.get(user + b"@" + domain)
        if prepend is None:
            return None if (beginning := self.beginning(domain)) is None else beginning + user
        return prepend + b"-" + user if prepend else None

    def beginning(self, domain: bytes) -> bytes | None:
        """What a domain's local parts begin with: b"" for one in locals, prepend and "-" for a virtual one; None: not ours."""
        if domain in self.locals:
            return b""
        words = (domain, *tails(domain), b"")
        prepend = next((self.virtual[word] for word in words if word in self.virtual), b"")
        return prepend + b"-" if prepend else None

    def users(self) -> Iterator[tuple[bytes, bytes]]:
        """The virtual users, (user, domain), whose domain is not in locals."""
        for word in self.virtual:
            user, at, domain = word.rpartition(b"@")
            if at and user and domain not in self.locals:
                yield user, domain

    def domains(self) -> set[bytes]:
        """The domains that are named; what a wildcard covers has no end."""
        named = {word.rpartition(b"@")[2] for word in self.virtual}
        return {domain for domain in named | self.locals if domain and not domain.startswith(b".")}

    def wildcards(self) -> list[bytes]:
        """The words of virtualdomains that cover domains without naming them: ".dom", and b"" for all."""
        return [word for word, prepend in self.virtual.items() if prepend and (not word or word.startswith(b"."))]


class RcptHosts:
    """control/rcpthosts and morercpthosts.cdb: the domains that the SMTP server takes mail for at all."""

    def __init__(self, entries: Iterable[bytes] | None) -> None:
        """entries: domains, and ".dom" for everything below dom; None: there is no rcpthosts, and qmail takes every domain."""
        self.absent = entries is None
        self.entries = frozenset(entry.lower() for entry in entries or ())

    def allows(self, domain: bytes) -> bool:
        """Whether mail for a domain, in lower case, is accepted."""
        return self.absent or domain in self.entries or any(tail in self.entries for tail in tails(domain))

    def domains(self) -> set[bytes]:
        return {entry for entry in self.entries if not entry.startswith(b".")}

    def wildcards(self) -> set[bytes]:
        return set(self.entries) - self.domains()


def tails(domain: bytes) -> Iterator[bytes]:
    """The ends of a domain that begin with a dot, longest first."""
    at = domain.find(b".")
    while at >= 0:
        yield domain[at:]
        at = domain.find(b".", at + 1)


def read_routes(control: Control) -> Routes:
    """locals (by default me) and virtualdomains.

    Raises:
        ControlError: a file cannot be read.
    """
    local = control.lines("locals")
    if local is None:
        me = control.line("me")
        local = [me] if me else []
    return Routes(local, control.lines("virtualdomains") or [])


def read_rcpthosts(control: Control) -> RcptHosts:
    """rcpthosts and, beside it, morercpthosts.cdb.

    Raises:
        ControlError: a file cannot be read, or the cdb is damaged.
    """
    entries = control.lines("rcpthosts")
    if entries is None:
        return RcptHosts(None)
    path = control.path("morercpthosts.cdb")
    try:
        with open(path, "rb") as file:
            entries += records(file)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}; run qmail-newmrh") from error
    return RcptHosts(entries)
