"""Which .qmail file of a home directory controls an extension address (dot-qmail(5), qmail-local(8)).

qmail-local lower-cases the extension and makes colons of its dots.  For foo-bar it opens .qmail-foo-bar, .qmail-foo-default,
.qmail-default, and takes the first that is a regular file.  When there is none the message bounces, unless dash is empty: a
user's own address is delivered by default.  An address is only ever compared with the names in the directory, never made a file
name.
"""

import errno
import os
import shlex
import stat
from collections.abc import Set as AbstractSet

BEGINNING = b".qmail"
DEFAULT = b"default"
READ_MAX = 4096
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Home:
    """The .qmail files of one home directory.

    files  what follows ".qmail" in the names of the regular files, and of those that cannot be looked at: qmail-local puts mail
           for these off, it does not bounce
    error  why the directory could not be read; None when it was
    """

    def __init__(self, path: bytes, files: AbstractSet[bytes], error: OSError | None = None) -> None:
        self.path = path
        self.files = files
        self.error = error

    def find(self, dash: bytes, ext: bytes) -> bytes | None:
        """The file for an extension: the rest of its name after ".qmail"; None when no file is there."""
        safe = safe_ext(ext)
        if dash + safe in self.files:
            return dash + safe
        for end in range(len(safe), -1, -1):
            if end == 0 or safe[end - 1:end] == b"-":
                name = dash + safe[:end] + DEFAULT
                if name in self.files:
                    return name
        return None

    def always_bounces(self, name: bytes) -> bool:
        """Whether the file's first instruction refuses every message: bouncesaying with a text alone, or exit 100."""
        try:
            with open(os.path.join(self.path, BEGINNING + name), "rb", opener=_without_waiting) as file:
                text = file.read(READ_MAX)
        except OSError:
            return False
        lines = (line for line in text.split(b"\n") if not line.startswith(b"#"))
        first = next(lines, b"").decode("ascii", "replace")
        return first.startswith("|") and _refuses(first[1:])


def home(path: bytes) -> Home:
    """Look into a home directory."""
    try:
        with os.scandir(path or b".") as entries:
            found = [entry for entry in entries if entry.name.startswith(BEGINNING)]
    except OSError as error:
        return Home(path, frozenset(), error)
    return Home(path, frozenset(entry.name[len(BEGINNING):] for entry in found if _counts(entry)))


def safe_ext(ext: bytes) -> bytes:
    """An extension as it stands in a file name."""
    return ext.lower().replace(b".", b":")


def _counts(entry: os.DirEntry[bytes]) -> bool:
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError as error:
        return error.errno not in NOT_THERE


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _refuses(command: str) -> bool:
    """Whether a shell command surely exits 100; what we do not understand does not."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return False
    if words == ["exit", "100"]:
        return True
    plain = not any(set(word) <= set("();<>|&") for word in words if word)
    return plain and len(words) == 2 and os.path.basename(words[0]) == "bouncesaying"
