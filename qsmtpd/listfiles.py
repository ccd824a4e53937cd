"""Control files that are lists: read line by line, each by a parser of its own; or databases, looked into key by key."""


def parsed(control: "Control", name: str, parse: "Callable[[bytes], T]") -> "list[T] | None":
    """What parse makes of each line, in the order of the file; None when there is no such file.

    Empty lines and comments are left out and blanks at the end cut off, as Control.lines() does.

    Raises:
        ControlError: the file cannot be read, or parse has raised ValueError, whose message must be printable ASCII.
    """
    lines = control.lines(name)
    if lines is None:
        return None
    found = []
    for line in lines:
        try:
            found.append(parse(line))
        except ValueError as error:
            raise control.error(name, f"line {_number(control, name, line)}: {error}") from error
    return found


def _number(control: "Control", name: str, line: bytes) -> int:
    """The number of the first line that reads so, counted only now that it is asked for."""
    lines = [each.rstrip(b" \t") for each in (control.read(name) or b"").split(b"\n")]
    return lines.index(line) + 1 if line in lines else 0


def is_database(name: str) -> bool:
    """Whether a file is a cdb, by its name."""
    return name.endswith(".cdb")


def first_key(name: str, keys: "Iterable[bytes]", databases: "Databases") -> bytes | None:
    """The first of the keys that a database has; b"" when it has none of them, None when there is no such file."""
    for key in keys:
        found = databases.has_key(name, key)
        if found:
            return key
        if found is None:
            return None
    return b""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol, TypeVar

    from .qmail.control import Control

    T = TypeVar("T")

    class Databases(Protocol):
        """The part of Lookups that is used here."""

        def has_key(self, name: str, key: bytes) -> bool | None: ...
