"""One event, one line: a word, then key=value pairs.  The writer and the parser stand side by side.

A value is quoted when it is empty or holds anything but printable ASCII without blank, "=", quote and backslash; within quotes
a quote and a backslash have a backslash before them, and every byte outside of printable ASCII is \\xNN.  So no value can end
a line, begin a pair or move a terminal's cursor, and reading gives back the bytes that were written.
"""

import posix
import select

LINE_MAX = 4096
"""PIPE_BUF: a line up to this size is written whole even when many processes share the pipe to multilog."""
VALUE_MAX = 1000
"""Characters of a value as it stands in the line: an address fits; the rest of a longer one is dropped."""
PATIENCE_MS = 1000
"""How long a log may take no more before a line is dropped: multilog waits for room on a full disk, mail must not."""

_BYTES = bytes.maketrans(b"", b"")
"""All that there are, in their order: bytes(range(256)), and a tenth of its cost."""
_BARE = _BYTES[0x21:0x7F].translate(None, b'="\\')
_NOT_BARE = _BYTES.translate(None, _BARE)
_ONLY_BARE = bytes.maketrans(_NOT_BARE, b"!" * len(_NOT_BARE))
"""Changes every byte that is not bare, and no other: comparing is the quickest way to see whether there are any."""


def quote(value: bytes) -> str:
    """The value as it stands after "key="."""
    value = value[:VALUE_MAX]
    if value and value.translate(_ONLY_BARE) == value:
        return value.decode("ascii")
    text, room = "", VALUE_MAX
    for byte in value:
        escaped = _escaped(byte)
        room -= len(escaped)
        if room < 0:
            break
        text += escaped
    return f'"{text}"'


def _escaped(byte: int) -> str:
    """A byte as it stands within quotes."""
    if byte in b'"\\':
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"


def format_line(event: str, pairs: "Pairs") -> bytes:
    """The line with its LF, at most LINE_MAX bytes; pairs whose value is None are left out, and those that do not fit.

    A value that is text is a word of ours, which needs no quotes; whatever others have said is bytes.

    The pairs behind one that does not fit may: nobody can make our figures disappear by what he calls himself.
    """
    line = event
    for key, value in pairs:
        if value is not None:
            longer = f"{line} {key}={quote(value) if isinstance(value, bytes) else value}"
            if len(longer) < LINE_MAX:
                line = longer
    return f"{line}\n".encode("ascii")


def write(event: str, pairs: "Pairs", fd: int = 2) -> None:
    """Write the line at once.  A log that cannot be written must not stop mail: failure is ignored."""
    _write(fd, format_line(event, pairs))


def write_all(lines: "Iterable[tuple[str, Pairs]]", fd: int = 2) -> None:
    """Write several lines in few calls, none of them cut in two: each wakes the process that reads the log."""
    together = b""
    for event, pairs in lines:
        line = format_line(event, pairs)
        if len(together) + len(line) > LINE_MAX:
            _write(fd, together)
            together = b""
        together += line
    _write(fd, together)


def _write(fd: int, data: bytes) -> None:
    """At most LINE_MAX bytes, which a pipe takes at once when it takes any; a log that stands still loses them."""
    writable = select.poll()
    writable.register(fd, select.POLLOUT)
    try:
        if writable.poll(PATIENCE_MS):
            posix.write(fd, data)
    except OSError:
        pass


def parse(line: bytes) -> tuple[str, dict[str, bytes]]:
    """The event and its pairs, the reverse of format_line(); the LF may be there or not.

    Raises:
        ValueError: it is no line of ours.
    """
    text = line.removesuffix(b"\n")
    event, _, rest = text.partition(b" ")
    pairs: dict[str, bytes] = {}
    while rest:
        key, equals, rest = rest.partition(b"=")
        if not (equals and key) or key.translate(None, _BARE):
            raise ValueError(f"no key=value: {key[:40]!r}")
        value, rest = _quoted(rest) if rest.startswith(b'"') else _bare(rest)
        pairs[key.decode("ascii")] = value
    if not event or event.translate(None, _BARE):
        raise ValueError(f"no event: {event[:40]!r}")
    return event.decode("ascii"), pairs


def _bare(rest: bytes) -> tuple[bytes, bytes]:
    value, _, rest = rest.partition(b" ")
    if not value or value.translate(None, _BARE):
        raise ValueError(f"a value that wants quotes: {value[:40]!r}")
    return value, rest


def _quoted(rest: bytes) -> tuple[bytes, bytes]:
    value = bytearray()
    i = 1
    while i < len(rest):
        if rest[i] == 0x22:
            if rest[i + 1:i + 2] not in (b"", b" "):
                raise ValueError("text after the closing quote")
            return bytes(value), rest[i + 2:]
        length = 1 if rest[i] != 0x5C else 4 if rest[i + 1:i + 2] == b"x" else 2
        text = rest[i:i + length]
        byte = int(text[2:].decode("ascii", "replace"), 16) if length == 4 else text[-1]
        if _escaped(byte).encode("ascii") != text:
            raise ValueError(f"no text of ours within quotes: {text!r}")
        value.append(byte)
        i += length
    raise ValueError("no closing quote")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Pairs = Iterable[tuple[str, bytes | str | int | None]]
