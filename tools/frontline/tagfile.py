"""control/tags: every fault; the files that it names; and whether its zones answer as RFC 5782 wants it."""

import os
from collections.abc import Callable, Iterator, Mapping

from qsmtpd import zones
from qsmtpd.checks.base import LookupFailedError
from qsmtpd.qmail.control import Control
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.site import ZONES, SiteTag, parse_tags, tag_faults

from .findings import Finding, error, warning

TEST_ADDRESS, TEST_DOMAIN = b"127.0.0.2", b"test"
"""What every list of addresses lists, and every list of domains may."""


def wrong(file: str, text: bytes) -> Iterator[Finding]:
    """Every line that is none."""
    for fault in tag_faults(text):
        yield error(file, f"{fault.message}; every session is answered 421 until it is mended", fault.line, fault.column)


def read(text: bytes | None) -> dict[str, SiteTag]:
    """The tags; none when they are wrong."""
    try:
        return parse_tags(text) if text is not None else {}
    except ValueError:
        return {}


def files(tags: Mapping[str, SiteTag]) -> frozenset[str]:
    """The files of the control directory that they name."""
    return frozenset(tag.where for tag in tags.values() if tag.kind not in (*ZONES, "env"))


def missing(file: str, tags: Mapping[str, SiteTag], control: Control) -> Iterator[Finding]:
    """Tags whose file is not there."""
    for tag in tags.values():
        if tag.kind not in (*ZONES, "env") and not os.path.exists(control.path(tag.where)):
            what = f"{control.path(tag.where)} is not there, so {tag.name} does not hold; make it, or delete the line"
            yield warning(file, what, tag.line)


def dead_zones(file: str, tags: Mapping[str, SiteTag], resolver: "Callable[[], Dns]") -> Iterator[Finding]:
    """Zones that do not answer, or not as a list does; each is asked once."""
    asked: dict[bytes, Finding | None] = {}
    for tag in tags.values():
        if tag.kind in ZONES:
            if tag.zone not in asked:
                asked[tag.zone] = _zone(file, tag, resolver())
            found = asked[tag.zone]
            if found is not None:
                yield found._replace(line=tag.line)


def _zone(file: str, tag: SiteTag, dns: "Dns") -> Finding | None:
    points = zones.of_domain(TEST_DOMAIN) if tag.kind == "rhsbl" else zones.of_address(TEST_ADDRESS)
    names = [(name, "A") for name in points.names(tag.zone)]
    zone = tag.zone.decode("ascii")
    try:
        complete(dns.prefetch(names))
        answers = [complete(dns.ask(*name)) for name in names]
    except LookupFailedError as failure:
        return warning(file, f"{zone} does not answer ({failure}): its tags are unknown; look whether it still exists")
    why = zones.fault(points, answers)
    if why is None:
        return None
    return error(file, f"{zone} is not to be believed, {why.decode('ascii', 'replace')}: its tags are unknown; "
                       "delete the line, or ask by a name server that the list talks to")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.checks.base import Dns
