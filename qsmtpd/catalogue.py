"""Which module knows the words of each check of rules/vocabulary.py; it is imported when a rule first asks for one of them."""

from .checks import blocked

# ruff: noqa: PLC0415 - a session pays for the checks that its rules ask for, and for no other; the default rules ask for blocked


async def nobody_listed(mail: "Mail", lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
    """The check of a list whose file is not there."""
    return dict.fromkeys(wanted, False)


nobody_listed.constant = True  # type: ignore[attr-defined]  # it says the same of everybody, see Check


def make(name: str, source: "Source") -> "Check":  # noqa: C901, PLR0912 - a table, whose entries are imports
    """The check of that name, ready to be asked.

    Raises:
        ControlError: one of its control files cannot be read or makes no sense.
    """
    if name == "blocked":
        return blocked.configured(source)
    if name in ("badmailfrom", "badrcptto") and source.control.line(name) is None:
        return nobody_listed
    configured: Callable[[Source], Check]
    if name == "machine":
        from .checks.machine import configured
    elif name == "sessions":
        from .checks.sessions import configured
    elif name == "rate":
        from .checks.rate import configured
    elif name == "rdns":
        from .checks.rdns import configured
    elif name == "earlytalk":
        from .checks.earlytalk import configured
    elif name == "variables":
        from .checks.variables import configured
    elif name == "addresslist":
        from .checks.addresslist import configured
    elif name == "namelist":
        from .checks.namelist import configured
    elif name == "dnsbl":
        from .checks.dnsbl import configured
    elif name == "rhsbl":
        from .checks.rhsbl import configured
    elif name == "helo":
        from .checks.helo import configured
    elif name == "helodns":
        from .checks.helodns import configured
    elif name == "badmailfrom":
        from .checks.badmailfrom import configured
    elif name == "oursender":
        from .checks.oursender import configured
    elif name == "knowngood":
        from .checks.knowngood import configured
    elif name == "senderdns":
        from .checks.senderdns import configured
    elif name == "spf":
        from .checks.spf import configured
    elif name == "sendercallout":
        from .checks.sendercallout import configured
    elif name == "badrcptto":
        from .checks.badrcptto import configured
    elif name == "greylist":
        from .checks.greylist import configured
    elif name == "header":
        from .checks.header import configured
    else:
        raise AssertionError(f"no check has the name {name}")
    return configured(source)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .checks.base import Check, Findings, Lookups, Mail, Source
