"""One setting, one name: control/name, and NAME in the environment, which wins.

Each program has a table of Settings; its man page is compared with the table by tests/test_docs.py.
"""

from .control import Control, ControlError, digits
from .logline import quote


class Setting:
    """One row of a program's table.

    name      the control file; upper-cased, the variable
    default   an int: the setting is a number; bytes or None: it is a line of text
    meaning   one sentence for the manual
    words     when given, the only lines that are allowed
    """

    __slots__ = ("default", "meaning", "name", "words")

    def __init__(self, name: str, default: int | bytes | None, meaning: str, words: tuple[bytes, ...] = ()) -> None:
        self.name = name
        self.default = default
        self.meaning = meaning
        self.words = words


class Settings:
    """The values of a table, each what the environment, else the control file, else the default says."""

    __slots__ = ("_values",)

    def __init__(self, table: tuple[Setting, ...], control: Control) -> None:
        """Reads every setting of the table.

        Raises:
            ControlError: a file cannot be read, or a value is not of its kind.
        """
        self._values = {setting.name: _value(setting, control) for setting in table}

    def number(self, name: str) -> int:
        value = self._values[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> bytes | None:
        value = self._values[name]
        assert not isinstance(value, int)
        return value


def _value(setting: Setting, control: Control) -> int | bytes | None:
    variable = setting.name.upper()
    line = control.variable(variable)
    if line is not None:
        line = line.rstrip(b" \t")
    if line or (line is not None and not isinstance(setting.default, int)):
        try:
            return _parsed(setting, line)
        except ValueError as error:
            raise ControlError(f"${variable}: {error}") from error
    line = control.line(setting.name)
    if line is None or (not line and isinstance(setting.default, int)):
        return setting.default
    try:
        return _parsed(setting, line)
    except ValueError as error:
        raise control.error(setting.name, str(error)) from error


def _parsed(setting: Setting, line: bytes) -> int | bytes:
    """The line as a value of the setting's kind.

    Raises:
        ValueError: it is none; the message is printable ASCII.
    """
    if isinstance(setting.default, int):
        return digits(line)
    if setting.words and line not in setting.words:
        words = ", ".join([word.decode("ascii") for word in setting.words])
        raise ValueError(f"expected one of {words}, found {quote(line[:40])}")
    return line
