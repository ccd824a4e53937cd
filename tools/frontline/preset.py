"""--tag NAME=VALUE: what is taken as known."""

from collections.abc import Iterable, Mapping

from qsmtpd.rules.parse import as_number
from qsmtpd.rules.suggest import nearest
from qsmtpd.rules.vocabulary import Term

from ..command import MistakeError

WORDS = {"yes": True, "no": False, "unknown": None}


def preset(words: Iterable[str], vocabulary: Mapping[str, Term]) -> dict[str, bool | float | None]:
    """The names and values of "NAME=yes", "NAME=no", "NAME=unknown", "NAME=NUMBER"; "draw:LINE=NUMBER" for a percentage.

    Raises:
        MistakeError: one of them is none, or no word of the rules.
    """
    return dict(_preset(word, vocabulary) for word in words)


def _preset(word: str, vocabulary: Mapping[str, Term]) -> tuple[str, bool | float | None]:
    name, equals, value = word.partition("=")
    if not equals:
        raise MistakeError(f"--tag {word}: expected NAME=yes, NAME=no, NAME=unknown or NAME=NUMBER")
    if name.startswith("draw:") and name[5:].isdigit():
        return name, _number(word, value)
    if name not in vocabulary:
        guess = nearest(name, list(vocabulary))
        raise MistakeError(f"--tag {word}: no tag or fact has the name {name}" + (f"; did you mean {guess}?" if guess else ""))
    if value == "unknown":
        return name, None
    if vocabulary[name].kind == "fact":
        return name, _number(word, value)
    if value not in WORDS:
        raise MistakeError(f"--tag {word}: {name} is a tag, so expected yes, no or unknown")
    return name, WORDS[value]


def _number(word: str, value: str) -> float:
    number = as_number(value)
    if number is None:
        raise MistakeError(f"--tag {word}: expected a number or unknown behind =")
    return number
