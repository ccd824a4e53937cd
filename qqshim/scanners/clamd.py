"""clamd, by its INSTREAM command (clamd(8)): the message in chunks, each behind its length; an empty chunk ends it.

The answer ends with NUL, as the command with "z" in front asked: "stream: OK", "stream: NAME FOUND", or "... ERROR".
"""

from qsmtpd.qmail.control import ControlError

from ..connection import address
from .base import Finding, ScannerError

CHUNK = 1 << 20
ANSWER_MAX = 4096

_CLEAN = b"stream: OK\0"
_FOUND = b" FOUND\0"
_LIMIT = b"INSTREAM size limit exceeded."
_LIMITS = b"Heuristics.Limits.Exceeded"
"""What clamd with AlertExceedsMax says of a file that it could not look through: no virus was seen."""


class Clamd:
    """Looks for viruses."""

    name = "clamd"

    def __init__(self, settings: "Settings") -> None:
        """Raises ControlError: an address or a number makes no sense."""
        self._address = address("clamd", settings.text("clamd") or b"")
        self._seconds = settings.number("clamdtimeout")
        if not self._seconds:
            raise ControlError("clamdtimeout: expected at least 1")
        self.max_size = settings.number("clamdmaxsize")
        self._defers = settings.text("clamdfail") == b"defer"

    def defers(self, _kind: str) -> bool:
        return self._defers

    async def __call__(self, message: "Message", connection: "Connect") -> Finding:
        with connection(self._address, self._seconds) as clamd:
            await clamd.open()
            await clamd.write(b"zINSTREAM\0")
            for offset in range(0, message.size, CHUNK):
                count = min(CHUNK, message.size - offset)
                await clamd.write(count.to_bytes(4, "big"))
                await clamd.write_file(message.fd, offset, count)
            await clamd.write(b"\0\0\0\0")
            answer = await clamd.read_to_end(ANSWER_MAX)
        return Finding(self.name, virus=parse(answer, whole=not clamd.early))


def parse(answer: bytes, *, whole: bool) -> bytes | None:
    """The signature's name; None for "OK".

    whole  clamd answered after the whole message: before that only its complaints count

    Raises:
        ScannerError: it is neither.
    """
    if whole and answer == _CLEAN:
        return None
    if answer.startswith(_LIMIT):
        raise ScannerError("toolarge", answer.rstrip(b"\0"))
    name = answer.removeprefix(b"stream: ").removesuffix(_FOUND)
    if not (whole and answer == b"stream: " + name + _FOUND and _is_name(name)):
        raise ScannerError("failed", b"clamd answered: " + answer[:200])
    if name.startswith(_LIMITS):
        raise ScannerError("toolarge", name)
    return name


def _is_name(name: bytes) -> bool:
    return 0 < len(name) <= 200 and all(0x21 <= byte < 0x7F for byte in name)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.settings import Settings

    from .base import Connect, Message
