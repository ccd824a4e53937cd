"""The scanners in the order in which they are asked; each is imported only when its setting is there."""

from .base import Finding, ScannerError, failure


def _clamd(settings: "Settings") -> "Scanner":
    from .clamd import Clamd  # noqa: PLC0415

    return Clamd(settings)


def _spamd(settings: "Settings") -> "Scanner":
    from .spamd import Spamd  # noqa: PLC0415

    return Spamd(settings)


SCANNERS = (
    ("clamd", _clamd),
    ("spamd", _spamd),
)
VIRUS = ("clamd",)
"""Those that look for a virus."""
SPAM = ("spamd",)
"""Those that look for spam."""


def configured(settings: "Settings") -> "list[Scanner]":
    """The scanners whose address is set.

    Raises:
        ControlError: a setting of theirs makes no sense.
    """
    return [make(settings) for name, make in SCANNERS if settings.text(name)]


async def scan(message: "Message", scanners: "Iterable[Scanner]", connection: "Connect") -> list[Finding]:
    """Ask them one after another, until one has settled what becomes of the message: a virus, or a failure that defers.

    connection  makes their connections
    """
    findings = []
    for scanner in scanners:
        finding = await _asked(scanner, message, connection)
        findings.append(finding)
        if finding.virus is not None or finding.defer:
            break
    return findings


async def _asked(scanner: "Scanner", message: "Message", connection: "Connect") -> Finding:
    try:
        if message.size > scanner.max_size:
            raise ScannerError("toolarge", b"message of %d bytes" % message.size)
        return await scanner(message, connection)
    except ScannerError as error:
        return failure(scanner.name, error, defer=scanner.defers(error.kind))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsmtpd.qmail.settings import Settings

    from .base import Connect, Message, Scanner
