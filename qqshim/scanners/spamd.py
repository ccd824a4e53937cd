"""spamd, by the SYMBOLS command of its protocol (SpamAssassin, spamd/PROTOCOL, version 1.5).

    SPAMD/1.1 0 EX_OK
    Content-length: 11
    Spam: True ; 6.5 / 5.0

    OFFER,GREEN
"""

from qsmtpd.qmail.control import ControlError

from ..connection import address
from .base import Finding, ScannerError, score

ANSWER_MAX = 65536


class Spamd:
    """Gives a score."""

    name = "spamd"

    def __init__(self, settings: "Settings") -> None:
        """Raises ControlError: an address, a number or a user's name makes no sense."""
        self._address = address("spamd", settings.text("spamd") or b"")
        self._seconds = settings.number("spamdtimeout")
        if not self._seconds:
            raise ControlError("spamdtimeout: expected at least 1")
        self.max_size = settings.number("spamdmaxsize")
        self._defers = settings.text("spamdfail") == b"defer"
        user = settings.text("spamduser") or b""
        if not all(0x21 <= byte < 0x7F for byte in user):
            raise ControlError("spamduser: expected a name of printable ASCII without blanks")
        self._user = b"User: %b\r\n" % user if user else b""

    def defers(self, kind: str) -> bool:
        """A message that is too large would be so tomorrow: it is always passed."""
        return self._defers and kind != "toolarge"

    async def __call__(self, message: "Message", connection: "Connect") -> Finding:
        with connection(self._address, self._seconds) as spamd:
            await spamd.open()
            await spamd.write(b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n%b\r\n" % (message.size, self._user))
            await spamd.write_file(message.fd, 0, message.size)
            if not spamd.early:
                spamd.end_of_writing()
            answer = await spamd.read_to_end(ANSWER_MAX)
        if spamd.early:
            raise ScannerError("failed", b"spamd answered before the end: " + answer[:200])
        return parse(answer)


ROUNDING = 0.1
"""spamd judges by more digits than it prints."""


def parse(answer: bytes) -> Finding:
    """What spamd says.

    Raises:
        ScannerError: it is not such an answer from its first to its last byte.
    """
    head, end, body = answer.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    values = dict(_pair(field) for field in fields)
    try:
        if not (end and len(values) == len(fields) and _is_ok(first)):
            raise ValueError("no head of an answer")
        if _length(values[b"content-length"]) != len(body):
            raise ValueError("cut off")
        spam, found = _spam(values[b"spam"])
        symbols = body.strip()
        if not symbols.translate(None, b"\r\n\t").decode("ascii").isprintable():
            raise ValueError("symbols that nobody can read")
    except (KeyError, ValueError) as error:
        raise ScannerError("failed", b"spamd answered: " + answer[:200]) from error
    return Finding("spamd", spam=spam, score=found, symbols=symbols or None)


def _is_ok(first: bytes) -> bool:
    """"SPAMD/1.1 0 EX_OK"; any other number is an error of sysexits.h."""
    protocol, _, rest = first.partition(b" ")
    major, _, minor = protocol.removeprefix(b"SPAMD/").partition(b".")
    return protocol.startswith(b"SPAMD/") and major == b"1" and minor.isdigit() and rest == b"0 EX_OK"


def _pair(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.partition(b":")
    return name.lower(), value.strip(b" \t")


def _length(text: bytes) -> int:
    if not (text.isdigit() and len(text) <= 6):
        raise ValueError("no length")
    return int(text)


def _spam(value: bytes) -> tuple[bool, float]:
    """"True ; 6.5 / 5.0"."""
    word, _, numbers = value.partition(b" ; ")
    found, slash, threshold = numbers.partition(b" / ")
    if word not in (b"True", b"False") or not slash:
        raise ValueError("neither spam nor not")
    spam, above = word == b"True", score(found) - score(threshold)
    if above < -ROUNDING if spam else above > ROUNDING:
        raise ValueError("a word that its own numbers deny")
    return spam, score(found)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.settings import Settings

    from .base import Connect, Message
