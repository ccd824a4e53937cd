r"""Dialogues as files: what a client says, the codes it must hear, what must be queued.

A file of tests/transcripts holds dialogues.  Within the lines \r \n \0 \t \\ \xNN are bytes, and {N*text} is text repeated.

    --- title                      a dialogue begins
    env NAME=value                 the environment, as tcp.smtp sets it
    control NAME line              a line of a control file; "me" and "rcpthosts bench.test" are there by default
    no NAME                        that file is not there
    cdb NAME key                   a key of a cdb, with empty data
    > text                         the client says text and CR LF
    >> text                        the client says just that
    eof                            the client closes its side; it does so at the end of every dialogue
    < code [text]                  the next reply; text is how it goes on
    < code | code row              ours, and qmail-smtpd's where it is another: "row" names the reason in docs/compatibility.md;
                                   "-" stands for no reply
    queued envelope = message      F and T records without their NULs, blanks between; the message without our Received field

Dialogues are played whole, line by line, and byte by byte, on the bare session and on the program.
"""

import re
from pathlib import Path

DIRECTORY = Path(__file__).parent / "transcripts"
DEFAULTS: dict[str, list[bytes]] = {"me": [b"mx.bench.test"], "rcpthosts": [b"bench.test"]}
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[rnt0\\])|\{(\d+)\*([^}]*)\}")
_SIMPLE = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


class Expected:
    """One reply: our code and how its text begins, and qmail-smtpd's code; None for no reply."""

    def __init__(self, line: bytes) -> None:
        ours, _, theirs = line.decode().partition(" | ")
        code, _, self.text = ours.partition(" ")
        self.ours = None if code == "-" else int(code)
        code, _, self.row = theirs.partition(" ")
        self.qmail = self.ours if not code else None if code == "-" else int(code)


class Dialogue:
    def __init__(self, title: str) -> None:
        self.title = title
        self.env: dict[str, bytes] = {}
        self.control = dict(DEFAULTS)
        self.cdb: dict[str, list[bytes]] = {}
        self.sent: list[bytes] = []
        self.expected: list[Expected] = []
        self.queued: list[tuple[bytes, bytes]] = []

    def __repr__(self) -> str:
        return self.title

    @property
    def ours(self) -> list[int]:
        """The codes that we must answer with."""
        return [each.ours for each in self.expected if each.ours is not None]

    @property
    def qmail(self) -> list[int]:
        """The codes that qmail-smtpd answers with."""
        return [each.qmail for each in self.expected if each.qmail is not None]


def unescape(text: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        if match[2]:
            return unescape(match[3]) * int(match[2])
        return bytes([int(match[1][1:], 16)]) if match[1][:1] == b"x" else _SIMPLE[match[1]]

    return _ESCAPE.sub(one, text)


def load() -> list[Dialogue]:
    """All dialogues of all files."""
    return [dialogue for path in sorted(DIRECTORY.glob("*.txt")) for dialogue in _parse(path)]


def _parse(path: Path) -> list[Dialogue]:
    dialogues: list[Dialogue] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        word, _, rest = line.partition(b" ")
        if word == b"---":
            dialogues.append(Dialogue(f"{path.stem}: {rest.decode()}"))
        elif word and not word.startswith(b"#"):
            _take(dialogues[-1], word.decode(), rest, f"{path.name}:{number}")
    return dialogues


def _take(dialogue: Dialogue, word: str, rest: bytes, where: str) -> None:
    text = unescape(rest)
    if word in (">", ">>"):
        dialogue.sent.append(text + (b"\r\n" if word == ">" else b""))
    elif word == "<":
        dialogue.expected.append(Expected(rest))
    elif word == "queued":
        dialogue.queued.append(_queued(rest))
    elif word in ("env", "control", "no", "cdb"):
        _prepare(dialogue, word, text)
    elif word != "eof":
        raise ValueError(f"{where}: unknown word {word}")


def _prepare(dialogue: Dialogue, word: str, text: bytes) -> None:
    first, _, value = text.partition(b"=" if word == "env" else b" ")
    name = first.decode()
    if word == "env":
        dialogue.env[name] = value
    elif word == "no":
        dialogue.control.pop(name)
    elif word == "cdb":
        dialogue.cdb.setdefault(name, []).append(value)
    else:
        if dialogue.control.get(name) is DEFAULTS.get(name):
            dialogue.control[name] = []
        dialogue.control.setdefault(name, []).append(value)


def _queued(rest: bytes) -> tuple[bytes, bytes]:
    envelope, _, message = rest.partition(b" =")
    records = b"".join(unescape(record) + b"\0" for record in envelope.split(b" "))
    return unescape(message.removeprefix(b" ")), records + b"\0"


def codes(answer: bytes) -> list[int]:
    """The codes of the replies in what a server sent; a reply of several lines counts once.

    Raises:
        AssertionError: it is not made of well-formed reply lines.
    """
    found = []
    *lines, rest = answer.split(b"\r\n")
    assert rest == b"", f"an unfinished line: {rest!r}"
    for line in lines:
        assert re.fullmatch(rb"[2-5]\d\d[ -][\x20-\x7e]*", line), f"no reply line: {line!r}"
        assert len(line) <= 510
        if line[3:4] == b" ":
            found.append(int(line[:3]))
    return found
