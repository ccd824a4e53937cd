"""Source: plain lists, an address a line.

    # a comment
    user@example.org
    user-default@example.org    every address that begins with user-
    @example.org                every address
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..command import shown
from .domains import RcptHosts
from .report import Report, Sample
from .sources import Source

ADDRESS_MAX = 900
"""Bytes: qmail-smtpd refuses longer ones."""

_NOT_IN_USER = re.compile(rb'\A#|[\0-\x20\x7f<>,;:"()\[\]\\]')
_DOMAIN = re.compile(rb"[^\0-\x2c/:-@\[-`\x7b-\x7f.]+(?:\.[^\0-\x2c/:-@\[-`\x7b-\x7f.]+)*|\[[0-9.]+\]")


class List:
    """One file; domains are those that have an address in it, once its keys were read."""

    def __init__(self, path: Path, rcpthosts: RcptHosts, report: Report) -> None:
        self.path = path
        self.name = shown(os.fsencode(path))
        self.domains: set[bytes] = set()
        self._rcpthosts = rcpthosts
        self._report = report
        self._shut_out: dict[bytes, int] = {}

    def source(self) -> Source:
        return Source(f"list {self.name}", self._keys())

    def _keys(self) -> Iterator[bytes]:
        """The addresses that rcpthosts lets in.

        Raises:
            OSError: the file cannot be read.
        """
        not_in_user, domains = _NOT_IN_USER.search, self.domains
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                address = line.rstrip().lower()
                user, _, domain = address.rpartition(b"@")
                known = domain in domains and not not_in_user(user) and len(address) <= ADDRESS_MAX
                if known or (address and not address.startswith(b"#") and self._checked(address, number)):
                    yield address
        self._tell()

    def _checked(self, address: bytes, number: int) -> bool:
        """The slow way, for the first address of a domain and for what is wrong."""
        user, at, domain = address.rpartition(b"@")
        if not at or _NOT_IN_USER.search(user) or not _DOMAIN.fullmatch(domain) or len(address) > ADDRESS_MAX:
            self._report.mistake(f"{self.name}:{number}: left out: expected user@domain, @domain or a comment, "
                                 f'found "{shown(address[:60])}"', f"such lines in {self.name}")
            return False
        if not self._rcpthosts.allows(domain):
            self._shut_out[domain] = self._shut_out.get(domain, 0) + 1
            return False
        self.domains.add(domain)
        return True

    def _tell(self) -> None:
        if not self.domains:
            self._report.warn(f"{self.name}: there is no address in it that could be accepted")
        domains = Sample()
        for domain in self._shut_out:
            domains.add(domain)
        if domains.count:
            count = sum(self._shut_out.values())
            self._report.warn(f"{self.name}: lines left out: {count:,}; their mail is refused anyway, for "
                              f"control/rcpthosts does not have{','.join(domains.lines(''))}")
