"""What became of a message given to a QMAILQUEUE program: its exit code and its own words, as a reply to the client.

A program that was told QQREPLY=6 may write reply lines "CODE x.y.z text" on descriptor 6, any code, several lines, and exit
82.  One that does not know of it writes "Dtext" or "Ztext" (notqmail 1.09).

A program that takes the message may tell before all that how much it looked like spam: a line "score=7.5".
"""

from .exitcodes import CUSTOM, READ_ERROR, meaning

WORDS_MAX = 4096
"""Bytes of its words that are kept."""
SCORE = b"score="
SCORE_MAX = 30
"""Bytes of a line that tells a score."""
LINE_MAX = 480
"""Characters of a line of its words that are kept: with code and status in front it fits a reply line of 510."""


class Outcome:
    """What became of a message.

    code    0 when it is queued; else the SMTP reply code, 4xx unless the program said that it is permanent
    status  the enhanced status code (RFC 3463)
    lines   the text of the reply, a line each, printable ASCII
    score   of the message, None when nobody has told
    """

    __slots__ = ("code", "lines", "score", "status")

    def __init__(self, code: int, status: str, lines: tuple[str, ...], score: float | None = None) -> None:
        self.code = code
        self.status = status
        self.lines = lines
        self.score = score


def from_exit_code(code: int, said: bytes) -> Outcome:
    """What an exit code and the words on the channel come to.  0 here means that the caller's own part failed: 54."""
    outcome = _said(said) if code == CUSTOM else None
    if outcome is not None:
        return outcome
    status, text = meaning(code or READ_ERROR)
    return Outcome(554 if status.startswith("5") else 451, status, (text,))


def told(said: bytes) -> tuple[float | None, bytes]:
    """The score that a program's words begin with, None when they do not, and its other words."""
    line, _, rest = said.partition(b"\n")
    if not line.startswith(SCORE):
        return None, said
    whole, dot, part = line[len(SCORE):].removeprefix(b"-").partition(b".")
    if not (whole.isdigit() and len(line) <= SCORE_MAX and (part.isdigit() or not dot)):
        return None, rest
    return float(line[len(SCORE):]), rest


def temporary(status: str, text: str) -> Outcome:
    """A fault, of ours or the program's: the client tries again."""
    return Outcome(451, status, (text,))


def _said(said: bytes) -> Outcome | None:
    """The program's own words as an outcome; None when they are nothing that it may say.

    Of words that are too many the line that the end cut through is left out, unless it is the only one.
    """
    if len(said) >= WORDS_MAX:
        said = said[:WORDS_MAX].rpartition(b"\n")[0] or said
    lines = [_printable(line.removesuffix(b"\r")) for line in said.rstrip(b"\r\n\0").split(b"\n")]
    return _lettered(lines[0]) if lines[0][:1] in ("D", "Z") else _reply_lines(lines)


def _printable(line: bytes) -> str:
    return "".join([chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in line[:LINE_MAX]])


def _lettered(line: str) -> Outcome | None:
    """"Dtext" for ever and "Ztext" for now, more than two characters in all as in qmail.c; "(#5.7.1)" at its end counts."""
    if len(line) <= 2:
        return None
    code, digit = (554, "5") if line[0] == "D" else (451, "4")
    text, mark, status = line[1:].removesuffix(")").rpartition(" (#")
    if mark and _is_status(status, digit):
        return Outcome(code, status, (text,))
    return Outcome(code, f"{digit}.3.0", (line[1:],))


def _reply_lines(lines: list[str]) -> Outcome | None:
    """"550 5.7.1 text" on each line, the same code and status on all; None for anything else."""
    code, _, rest = lines[0].partition(" ")
    status = rest.partition(" ")[0]
    prefix = f"{code} {status} "
    known = len(code) == 3 and code.isdigit() and code[0] in "45" and _is_status(status, code[0])
    if not known or not all(line.startswith(prefix) for line in lines):
        return None
    return Outcome(int(code), status, tuple(line[len(prefix):] for line in lines))


def _is_status(word: str, digit: str) -> bool:
    """An enhanced status code of the class (RFC 3463): 5.7.1, at most three digits in a part."""
    parts = word.split(".")
    return len(parts) == 3 and parts[0] == digit and all(part.isdigit() and len(part) <= 3 for part in parts)
