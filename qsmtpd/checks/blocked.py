"""blocked and banned: the client is kept out for a time, or for good.  rbl-pass: tcp.smtp says that no list shall keep it out.

RBLSMTPD, as rblsmtpd(1) has it: a text is blocked, a text with "-" before it is banned, and either is all that is said;
set and empty is rbl-pass, and blocklist.cdb is asked as ever: what it means for that is for the rules to say.

control/blocklist.cdb: the keys of netblock.key(), and the value CODE UNTIL REASON.  A CODE of 400 to 499 is blocked, of 500 to
599 banned; UNTIL is seconds since 1970, 0 for no end; what is over is as if it were not there.  The smallest netblock decides.
"""

from .base import LookupFailedError, Mail

DATABASE = "blocklist.cdb"
NO_END = b"further notice"
OPEN: "Findings" = {"blocked": False, "banned": False}
"""What is said of who is not kept out; whoever asks for one of them asks for the other."""

_DAY = 86400


def configured(source: "Source") -> "Blocked":
    """The check; it has no control file to read."""
    return Blocked()


class Blocked:
    """The check of this module."""

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        text = mail.environment("RBLSMTPD")
        findings: Findings = {"rbl-pass": text == b""} if "rbl-pass" in wanted else {}
        if text:
            findings.update(OPEN)
            name, reason = ("banned", text[1:]) if text.startswith(b"-") else ("blocked", text)
            _holds(mail, findings, name, reason or b"RBLSMTPD", NO_END)
        elif "blocked" in wanted or "banned" in wanted:
            findings.update(OPEN)
            try:
                _ask(mail, lookups, findings)
            except LookupFailedError as error:
                lookups.note(f"blocked: {error}".encode("ascii", "replace"))
                findings["blocked"] = findings["banned"] = None
        return findings


def _holds(mail: Mail, findings: "Findings", name: str, reason: bytes, until: bytes) -> None:
    findings[name] = True
    mail.reasons[name] = reason
    mail.until = until


def _ask(mail: Mail, lookups: "Lookups", findings: "Findings") -> None:
    """Look the client up in the database.

    Raises:
        LookupFailedError: it cannot be read, or what it says makes no sense; or the client's address is not known.
    """
    if lookups.has_key(DATABASE, b"") is None:
        return
    from ..netblock import keys  # noqa: PLC0415 - most sites have no such file

    try:
        for key in keys(mail.ip):
            value = lookups.value(DATABASE, key)
            if value is None:
                continue
            name, end, reason = _parsed(value)
            if not end or lookups.now < end:
                _holds(mail, findings, name, reason or b"%b from %b" % (key, DATABASE.encode()), utc(end) if end else NO_END)
                return
    except ValueError as error:
        raise LookupFailedError(f"{DATABASE}: {error}") from error


def _parsed(value: bytes) -> tuple[str, int, bytes]:
    """The tag, the end and the reason of an entry.

    Raises:
        ValueError: it is none.
    """
    code, _, rest = value.partition(b" ")
    until, _, reason = rest.partition(b" ")
    if len(code) != 3 or not code.isdigit() or code[:1] not in b"45" or not until.isdigit() or len(until) > 12:
        raise ValueError("an entry is not CODE UNTIL REASON")
    return "blocked" if code[:1] == b"4" else "banned", int(until), reason


def utc(seconds: int) -> bytes:
    """Seconds since 1970, not below 0, as "2026-11-21 20:00 UTC".

    The calendar is counted in eras of 400 years that begin in March, so that the leap day is the last of a year.
    """
    day, second = divmod(seconds, _DAY)
    era, day = divmod(day + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era + (month >= 10)
    month = month + 3 if month < 10 else month - 9
    return b"%04d-%02d-%02d %02d:%02d UTC" % (year, month, day + 1, second // 3600, second // 60 % 60)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
