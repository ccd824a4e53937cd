"""Source: what qmail itself would deliver, as keys of validrcptto.cdb, a Source for each place where addresses are written."""

from collections.abc import Iterable, Iterator
from itertools import chain

from ..command import shown
from .domains import RcptHosts, Routes, tails
from .mailboxes import Mailboxes, key, too_wide
from .report import Report
from .sources import Source


class Qmail:
    """Mailboxes brought to the domains of this server that rcpthosts lets in."""

    def __init__(self, mailboxes: Mailboxes, routes: Routes, rcpthosts: RcptHosts, report: Report) -> None:
        self._mailboxes = mailboxes
        self._routes = routes
        self._rcpthosts = rcpthosts
        self._report = report
        self._domains = sorted(domain for domain in routes.domains() | rcpthosts.domains() if rcpthosts.allows(domain))
        self._tell_shut_out()

    def sources(self) -> Iterator[Source]:
        """One for each file or kind of file that names users, one for virtual domains, one for virtual users."""
        local = sorted(self._routes.locals.intersection(self._domains))
        assignments = chain(self._mailboxes.exact.values(), self._mailboxes.beginnings.values())
        for kind in dict.fromkeys(_kind(assignment.where) for assignment in assignments):
            yield Source(kind, self._of_domains(local, kind))
        virtual = [domain for domain in self._domains if self._routes.beginning(domain)]
        yield Source("virtual domains", self._of_domains(virtual, None))
        yield Source("virtual users", self._virtual_users())

    def relayed(self, listed: Iterable[bytes]) -> Source:
        """The domains that are accepted and handed to another host, and that no list names: every address may exist there."""
        known = frozenset(listed)
        domains = [domain for domain in self._domains if self._routes.beginning(domain) is None and domain not in known]
        for domain in domains:
            self._report.warn(f"every address at {shown(domain)} is accepted: its mail is handed to another host, and no list "
                              "says who exists there", "such domains")
        return Source("relayed domains", (b"@" + domain for domain in domains))

    def unknown(self, address: bytes) -> bool:
        """Whether a key of the last cdb may still be right, because the home directory that would tell could not be read."""
        user, at, domain = address.rpartition(b"@")
        local = self._routes.local_part(user, domain) if at else None
        return local is not None and self._rcpthosts.allows(domain) and self._mailboxes.unknown(local)

    def _of_domains(self, domains: list[bytes], kind: str | None) -> Iterator[bytes]:
        for domain in domains:
            beginning = self._routes.beginning(domain) or b""
            virtual = self._routes.virtual
            for user, assignment in self._mailboxes.exact_after(beginning):
                address = user + b"@" + domain
                if kind in (None, _kind(assignment.where)) and (kind or address not in virtual):
                    yield address
            yield from self._beginnings(domain, beginning, kind)

    def _beginnings(self, domain: bytes, beginning: bytes, kind: str | None) -> Iterator[bytes]:
        for rest, assignment in self._mailboxes.beginnings_after(beginning):
            if kind in (None, _kind(assignment.where)):
                found = key(rest, domain)
                if found is None:
                    self._report.warn(too_wide(rest, domain, assignment), "cases of this")
                yield found or b"@" + domain

    def _virtual_users(self) -> Iterator[bytes]:
        for user, domain in self._routes.users():
            local = self._routes.local_part(user, domain)
            if self._rcpthosts.allows(domain) and (local is None or self._mailboxes.delivered(local)):
                yield user + b"@" + domain

    def _tell_shut_out(self) -> None:
        """What rcpthosts and the form of the cdb keep from being accepted."""
        if self._rcpthosts.absent:
            self._report.warn("there is no control/rcpthosts: qmail-smtpd relays for the world")
        for domain in sorted(self._routes.domains()):
            if not self._rcpthosts.allows(domain):
                self._report.warn(f"{shown(domain)} is left out: it is not in control/rcpthosts, its mail is refused anyway",
                                  "domains that are left out")
        for word in sorted(self._rcpthosts.wildcards()):
            covered = [domain for domain in self._domains if word in tails(domain)]
            but = f" but {len(covered)}" if covered else ""
            self._report.warn(f"{shown(word)} in control/rcpthosts: all domains below it{but} are refused, for validrcptto.cdb "
                              "has no wildcard for domains; name those that have mail, there or in virtualdomains")


def _kind(where: str) -> str:
    """users/assign, without the line number."""
    return where.partition(":")[0]
