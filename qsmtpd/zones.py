"""How DNSBLs and their kin are asked, and when one is to be believed (RFC 5782).

A list that has expired, that a name server lies about, or that does not want to answer us, answers all the same: with any
address, with 127.0.0.1, with 127.255.255.x, or by listing the whole world.  None of these refuses anybody: the zone's tags are
unknown, and it rests.  So does one that does not answer several times in a row.
"""

from .checks.base import LookupFailedError
from .netblock import address, reverse

OUT = 3
"""Strikes for a zone that talks nonsense: it rests at once."""

_V6 = b".0.0.0.0.0.f.7.f.f.f.f" + b".0" * 20
_SUFFIXES = (b".in-addr.arpa", b".ip6.arpa")


class Points:
    """What a zone is asked of, as names in it.

    subject  whom it is about
    clean    the test point that a zone never lists
    listed   the test point that it always lists; b"" for none
    """

    __slots__ = ("clean", "listed", "subject")

    def __init__(self, subject: bytes, clean: bytes, listed: bytes) -> None:
        self.subject = subject
        self.clean = clean
        self.listed = listed

    def names(self, zone: bytes) -> list[bytes]:
        """What to ask for, the subject first."""
        return [point + b"." + zone for point in (self.subject, self.clean, self.listed) if point]


def of_address(ip: bytes) -> Points:
    """An address, and the test points of its family (sections 2.1, 2.4, 5).

    Raises:
        ValueError: it is none.
    """
    name = reverse(ip)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    if address(ip)[0] == 32:
        return Points(name, b"1.0.0.127", b"2.0.0.127")
    return Points(name, b"1" + _V6, b"2" + _V6)


def of_domain(domain: bytes) -> Points:
    """A domain.  The test point that every list of domains should have (section 5) is one that the largest do not have."""
    return Points(domain, b"invalid", b"")


def fault(points: Points, answers: "Sequence[tuple[bytes, ...]]") -> bytes | None:
    """Why a zone is not to be believed, as a phrase; None when it is.

    A zone of IPv4 addresses has no test point of IPv6: it lists no IPv6 address either, and that is no fault.

    answers  to names(), in this order
    """
    for code in answers[0]:
        if code.startswith(b"127.255.255.") or code == b"127.0.0.1" or not code.startswith(b"127."):
            return b"it answers " + code
    if answers[1]:
        return b"it lists everything, " + points.clean + b" too"
    if len(answers) > 2 and not answers[2] and (answers[0] or not points.listed.endswith(_V6)):
        return b"it does not list the test point " + points.listed
    return None


class ListCheck:
    """A check of all tags of some kinds, of which every zone is asked once, though several tags may read its codes."""

    def __init__(self, tags: "Mapping[str, SiteTag]", points: "Callable[[Mail], Points | None]") -> None:
        """What it knows.

        tags    by name
        points  what the zones are asked of; None when nobody could list that; LookupFailedError when we cannot ask
        """
        self._tags = tags
        self._points = points

    def questions(self, mail: "Mail", wanted: tuple[str, ...]) -> "Sequence[Question]":
        """The subject and the test points, in each zone."""
        try:
            points = self._points(mail)
        except LookupFailedError:
            return ()
        return [(name, "A") for zone in self._zones(wanted) for name in points.names(zone)] if points else ()

    async def __call__(self, mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        points = self._points(mail)
        if points is None:
            return dict.fromkeys(wanted, False)
        codes = {zone: await _codes(zone, points, lookups) for zone in self._zones(wanted)}
        found: Findings = {}
        for name in wanted:
            tag = self._tags[name]
            answer = codes[tag.zone]
            hit = next((code for code in answer or () if tag.lists(code)), None)
            found[name] = None if answer is None else hit is not None
            if hit:
                mail.reasons[name] = hit + b" from " + tag.zone
        return found

    def _zones(self, wanted: tuple[str, ...]) -> "Iterable[bytes]":
        return dict.fromkeys([self._tags[name].zone for name in wanted])


async def _codes(zone: bytes, points: Points, lookups: "Lookups") -> tuple[bytes, ...] | None:
    """What a zone says of the subject; None when it says nothing that counts."""
    dns = lookups.dns
    try:
        answers = [await dns.ask(name, "A") for name in points.names(zone)]
    except LookupFailedError as error:
        lookups.note(str(error).encode("ascii", "replace"))
        if dns.strike(zone):
            lookups.note(zone + b" is not asked for a while: it has not answered several times in a row")
        return None
    why = fault(points, answers)
    if why:
        dns.strike(zone, OUT)
        lookups.note(zone + b" is not asked for a while: " + why)
        return None
    dns.clear(zone)
    return answers[0]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .checks.base import Findings, Lookups, Mail, Question
    from .rules.site import SiteTag
