"""A small internet for the checks that ask the DNS: real servers with zones and lists, and the resolver of the cold program."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qsmtpd.lookups.dnssocket import Server
from qsmtpd.lookups.marks import Marks
from qsmtpd.lookups.resolver import Resolver
from qsmtpd.rules.atonce import complete
from tests.nameservers import internet
from tests.qsmtpd.world import DictDns, DictLookups

NIBBLES = b"1.0.0.0" + b".0" * 20 + b".8.b.d.0.1.0.0.2"
"""2001:db8::1 in a list."""

EXAMPLE = """
@       IN MX   10 mx
mx      IN A    192.0.2.1
mx      IN AAAA 2001:db8::1
web     IN A    192.0.2.9
six     IN AAAA 2001:db8::1
nomail  IN MX   0 .
txt     IN TXT  "nothing else"
alias   IN CNAME mx
pool-1  IN A    192.0.2.4
host-192-0-2-5 IN A 192.0.2.5
"""

REVERSE = """
1 IN PTR mx.example.test.
2 IN PTR mx.example.test.
4 IN PTR pool-1.example.test.
5 IN PTR host-192-0-2-5.example.test.
6 IN PTR none.example.test.
6 IN PTR MX.example.TEST.
7 IN PTR localhost.
8 IN PTR 192.0.2.8.
""" + "".join(f"20 IN PTR n{number}.example.test.\n" for number in range(30))

REVERSE6 = "1.0.0.0" + ".0" * 20 + " IN PTR six.example.test.\n"

ZONES = {
    "example.test": EXAMPLE, "2.0.192.in-addr.arpa": REVERSE, "8.b.d.0.1.0.0.2.ip6.arpa": REVERSE6,
    "hijacked.test": "* IN A 203.0.113.9\n", "world.test": "* IN A 127.0.0.2\n", "unwelcome.test": "* IN A 127.255.255.254\n",
    "loop.test": "* IN A 127.0.0.1\n", "dead.test": "", "uri.test": "bad.example.test IN A 127.0.1.2\n",
    "uriworld.test": "* IN A 127.0.1.2\n",
}

LISTS = {
    "dul.test": ("ip4set", "127.0.0.2\n192.0.2.4\n"),
    "zen.test": ("ip4set", "127.0.0.2\n192.0.2.1 :127.0.0.4:\n192.0.2.4 :127.0.0.10:\n192.0.2.6 :127.0.0.1:\n"),
    "six.test": ("ip6trie", ":127.0.0.2:\n::ffff:7f00:2\n2001:db8::/64\n"),
}


@contextmanager
def world() -> Iterator[int]:
    """The internet of this module; the port of its resolver."""
    with internet(ZONES, LISTS) as port:
        yield port


def lookups(port: int, marks: Path | None = None) -> DictLookups:
    """Look-ups with the real resolver, new, as for one session; marks is where it remembers who rests."""
    resolver = Resolver([Server("127.0.0.1", port)], 20, Marks(str(marks)) if marks else None)
    return DictLookups(dns=resolver)  # type: ignore[arg-type]


class Dns(DictDns):
    """DNS from a dict; struck and cleared are the zones for which these were called."""

    def __init__(self, records: dict[tuple[bytes, str], tuple[bytes, ...] | Exception] | None = None) -> None:
        super().__init__(records)
        self.struck: list[tuple[bytes, int]] = []
        self.cleared: list[bytes] = []

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        self.struck.append((zone, strikes))
        return len(self.struck) == 3

    def clear(self, zone: bytes) -> None:
        self.cleared.append(zone)


def answer(check: "AsksDns", known: "Mail", looked: DictLookups, *wanted: str) -> dict[str, bool | float | None]:
    """What a check says, after its questions were asked together, as the policy does."""
    questions: Sequence[tuple[bytes, str]] = check.questions(known, wanted)
    complete(looked.dns.prefetch(questions))
    findings = complete(check(known, looked, wanted))
    return {name: findings[name] for name in wanted}


if TYPE_CHECKING:
    from qsmtpd.checks.base import AsksDns, Mail
