"""One setting, one name: control/name, and NAME in the environment, which wins.

Each program has a table of Settings; its page in docs/settings.md and its man page are compared with the table by a test.
"""

from . import env
from .control import Control, ControlError, digits


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
    """The values of a table: settings["spamd"] is what the environment, else the control file, else the default says."""

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
    line = env.get(variable)
    if isinstance(setting.default, int):
        number = control.integer(setting.name) if line is None else _number(variable, line)
        return setting.default if number is None else number
    where = f"${variable}"
    if line is None:
        line, where = control.line(setting.name), control.path(setting.name)
    if line is None:
        return setting.default
    if setting.words and line not in setting.words:
        expected = ", ".join(word.decode() for word in setting.words)
        raise ControlError(f'{where}: expected one of {expected}, found "{line[:40].decode("ascii", "backslashreplace")}"')
    return line


def _number(variable: str, line: bytes) -> int:
    try:
        return digits(line)
    except ValueError as error:
        raise ControlError(f"${variable}: {error}") from error
