"""What "frontline check" finds: where, how bad, what it is, and what to do."""

import re
from typing import NamedTuple

from qsmtpd.qmail.control import ControlError

ERROR, WARNING, NOTE = "error", "warning", "note"
"""An error stops mail or does not do what is written; a warning is a thing to think about; a note only tells."""


class Finding(NamedTuple):
    """One of them.

    file    its path
    line    1 for the first; 0 for the whole file
    column  1 for the first; 0 for the whole line
    kind    ERROR, WARNING or NOTE
    what    what is wrong; what to do behind a semicolon
    """

    file: str
    line: int
    column: int
    kind: str
    what: str

    def __str__(self) -> str:
        place = ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])
        return f"{place}: {self.kind}: {self.what}"


def error(file: str, what: str, line: int = 0, column: int = 0) -> Finding:
    """Something to mend."""
    return Finding(file, line, column, ERROR, what)


_PLACE = re.compile(r"line (\d+)(?:, column (\d+))?: ")


def unreadable(path: str, failure: ControlError) -> Finding:
    """A file that a session cannot read, or make sense of."""
    why = str(failure).removeprefix(f"{path}: ")
    place = _PLACE.match(why)
    line, column = (int(number or 0) for number in place.groups()) if place else (0, 0)
    return error(path, f"{why[place.end() if place else 0:]}; what needs it is answered 4xx until it is mended", line, column)


def warning(file: str, what: str, line: int = 0, column: int = 0) -> Finding:
    """Something to think about."""
    return Finding(file, line, column, WARNING, what)


def note(file: str, what: str, line: int = 0, column: int = 0) -> Finding:
    """Something to know."""
    return Finding(file, line, column, NOTE, what)
