"""SPF (RFC 7208): may this client send for the sender's domain?  One of the tags holds, when the domain's DNS answers.

    spf-pass, spf-fail, spf-softfail, spf-neutral, spf-none, spf-permerror

For the null sender the domain is that of HELO.  No answer from the DNS makes all of them unknown.
"""

from ..address import domain
from .base import Mail

RESULTS = ("pass", "fail", "softfail", "neutral", "none", "permerror")


def configured(source: "Source") -> "Spf":
    """The check; it has no control file."""
    return Spf()


class Spf:
    """What of all tags is true comes from one evaluation."""

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check.  When SPF passes, mail.spf_domain is the domain."""
        helo = mail.helo or b""
        name = domain(mail.sender) if mail.sender else helo.lower()
        if name is None or name.startswith(b"[") or b"." not in name:
            result, text = "none", b""
        else:
            result, text = await lookups.callouts.spf(mail.ip, mail.sender or b"", helo)
        if result == "pass":
            mail.spf_domain = name
        mail.reasons[f"spf-{result}"] = text or b"SPF: %b for %b" % (result.encode(), name or b"no domain")
        return {f"spf-{each}": each == result for each in RESULTS}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
