"""Words with their values as a session tells them its queue program in QQTAGS, and as they are read again (words.py).

QQTAGS is such a text of the session, then one of each recipient in the order of the envelope, with ";" between them, and "="
for the same as before: "!relay,load:0.5;valid,accepted:0;valid,accepted:1;=".
"""

from .words import marked

TOLD_MAX = 100_000
"""Bytes of QQTAGS: the kernel takes 128 KiB for a variable."""
NUMBER_MAX = 32

_NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:")
_NUMBER = frozenset(b"0123456789.e+-")
_INFINITE = float("inf")


def told(session: "Values", recipients: "Sequence[Values]") -> bytes:
    """The text of QQTAGS, with every digit.

    When it would be too long the recipients' words are left out: they are unknown then.
    """
    parts = [_exactly(session)]
    before = None
    for words in recipients:
        part = _exactly(words)
        parts.append(part if part != before else b"=")
        before = part
    text = b";".join(parts)
    return text if len(text) <= TOLD_MAX else parts[0]


class Told:
    """What QQTAGS says.

    session     the words of the session
    recipients  the words of each recipient; the same object for those who have the same
    """

    __slots__ = ("recipients", "session")

    def __init__(self, session: "dict[str, bool | float | None]", recipients: "list[dict[str, bool | float | None]]") -> None:
        self.session = session
        self.recipients = recipients


def read_told(text: bytes) -> Told:
    """The reverse of told().

    Raises:
        ValueError: it is not what told() writes.
    """
    if len(text) > TOLD_MAX:
        raise ValueError("too long")
    first, *others = text.split(b";")
    found = Told(read(first), [])
    for part in others:
        if part != b"=":
            found.recipients.append(read(part))
        elif found.recipients:
            found.recipients.append(found.recipients[-1])
        else:
            raise ValueError("nothing before the first =")
    return found


def read(text: bytes) -> "dict[str, bool | float | None]":
    """The values of words, by name; the reverse of words.written(), as far as that has all digits.

    Raises:
        ValueError: it is no such text, or has a word twice.
    """
    found: dict[str, bool | float | None] = {}
    for word in text.split(b",") if text else ():
        name, value = _read(word)
        if name in found:
            raise ValueError("a word twice")
        found[name] = value
    return found


def _exactly(values: "Values") -> bytes:
    return b",".join([marked(name, value) or f"{name}:{value!r}".encode() for name, value in values.items()])


def _read(word: bytes) -> "tuple[str, bool | float | None]":
    if word[:1] == b"!":
        return _name(word[1:]), False
    if word[:1] == b"?":
        return _name(word[1:]), None
    name, colon, number = word.rpartition(b":")
    return (_name(name), _number(number)) if colon else (_name(word), True)


def _name(name: bytes) -> str:
    if not name or not _NAME.issuperset(name):
        raise ValueError("no word")
    return name.decode("ascii")


def _number(text: bytes) -> float:
    if not (_NUMBER.issuperset(text) and len(text) <= NUMBER_MAX):
        raise ValueError("no number")
    number = int(text) if text.isdigit() else float(text)
    if not -_INFINITE < number < _INFINITE:
        raise ValueError("no finite number")
    return number


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Values = Mapping[str, bool | float | None]
