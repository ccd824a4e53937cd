"""How DNSBLs and their kin are asked, and when one is to be believed (RFC 5782).

A list that has expired, that a name server lies about, or that does not want to answer us, answers all the same: with any address,
with 127.0.0.1, with 127.255.255.x, or with a listing of the whole world.  None of these may ever refuse anybody.
"""

from .netblock import address, reverse

_V6 = b".0.0.0.0.0.f.7.f.f.f.f" + b".0" * 20
_SUFFIXES = (b".in-addr.arpa", b".ip6.arpa")


class Points:
    """What a zone is asked of, as names in it.

    subject  whom it is about
    listed   the test point that the zone has; b"" for none
    clean    the test point that it never has
    """

    __slots__ = ("clean", "listed", "subject")

    def __init__(self, subject: bytes, listed: bytes, clean: bytes) -> None:
        self.subject = subject
        self.listed = listed
        self.clean = clean

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
        return Points(name, b"2.0.0.127", b"1.0.0.127")
    return Points(name, b"2" + _V6, b"1" + _V6)


def of_domain(domain: bytes) -> Points:
    """A domain.  The test point that every list of domains should have is the one that the largest do not have."""
    return Points(domain, b"", b"invalid")


def fault(points: Points, answers: "Sequence[tuple[bytes, ...]]") -> bytes | None:
    """Why a zone is not to be believed, as a phrase; None when it is.

    A list of IPv4 addresses knows nothing of the test points of IPv6: it has no IPv6 address either, which is no fault.

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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
