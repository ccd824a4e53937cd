"""Control files, read as qmail's control.c reads them (qmail-control(5)).

An absent file is a default, never an error.  A file that is there and cannot be read, or does not hold what it should,
raises ControlError: the caller answers with a temporary failure, so that no fault of ours ever opens a relay.
"""

import posix

from . import env
from .logline import quote

PIECE = 65536


class ControlError(Exception):
    """A control file is there, and could not be read or makes no sense; str() names it and what is wrong, in ASCII."""


class Control:
    """The files of one control directory, and the variables that go before them.

    variable  gives the value of a variable, None when it is not set: those of the process, or of a connection
    """

    __slots__ = ("_names", "directory", "variable")

    def __init__(self, directory: str, variable: "Callable[[str], bytes | None]" = env.get) -> None:
        self.directory = directory
        self.variable = variable
        self._names: frozenset[str] | None = None

    def take_stock(self) -> None:
        """Take it that no other files come, as a process of one session does: of thirty it looks for most are absent.

        Where the directory may not be read each is tried all the same.
        """
        try:
            self._names = frozenset(posix.listdir(self.directory))
        except OSError:
            pass

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def error(self, name: str, why: str) -> ControlError:
        """The error of one of its files, to be raised."""
        path = self.path(name).encode("utf-8", "surrogateescape")
        return ControlError(f"{quote(path)}: {why}")

    def read(self, name: str) -> bytes | None:
        """The whole file; None when it is absent.

        Raises:
            ControlError: it is there and cannot be read.
        """
        if self._names is not None and name not in self._names and "/" not in name:
            return None
        try:
            fd = _open_read(self.path(name))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.error(name, posix.strerror(error.errno or 0)) from error
        text = b""
        try:
            while piece := posix.read(fd, PIECE):
                text += piece
        except OSError as error:
            raise self.error(name, posix.strerror(error.errno or 0)) from error
        finally:
            posix.close(fd)
        return text

    def line(self, name: str) -> bytes | None:
        """The first line without trailing blanks and tabs (b"" for an empty file); None when absent."""
        text = self._text(name)
        return None if text is None else text.partition(b"\n")[0].rstrip(b" \t")

    def integer(self, name: str) -> int | None:
        """The first line as a number; None when the file is absent or the line empty, as control_readint() has it.

        Raises:
            ControlError: something else than 1 to 20 ASCII digits stands there.
        """
        line = self.line(name)
        if not line:
            return None
        try:
            return digits(line)
        except ValueError as error:
            raise self.error(name, str(error)) from error

    def lines(self, name: str) -> list[bytes] | None:
        """The lines without trailing blanks, empty lines and comments (a "#" in the first column); None when absent."""
        text = self._text(name)
        if text is None:
            return None
        stripped = (line.rstrip(b" \t") for line in text.split(b"\n"))
        return [line for line in stripped if line and not line.startswith(b"#")]

    def _text(self, name: str) -> bytes | None:
        """As read(); a NUL, where every C program's line would end and ours would not, is an error too."""
        text = self.read(name)
        if text is not None and 0 in text:
            raise self.error(name, "holds a NUL byte")
        return text


def _open_read(path: str) -> int:
    """As qmail's open_read.c: a FIFO without a writer is an empty file, not a session that stands still."""
    return posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK)


def digits(text: bytes) -> int:
    """A decimal number of 1 to 20 ASCII digits; no sign, no blank, no underscore.  What does not fit 63 bits is the largest.

    Raises:
        ValueError: it is anything else; the message is printable ASCII.
    """
    if not (text.isdigit() and len(text) <= 20):
        raise ValueError(f"expected a number of at most 20 digits, found {quote(text[:40])}")
    return min(int(text), 2**63 - 1)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
