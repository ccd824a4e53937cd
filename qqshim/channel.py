"""Where the caller reads the words of a refusal, if anywhere: the error channel (qmail-queue(8), descriptor 6).

Four families of callers read four different descriptors, and none says which it is:

    notqmail 1.09 and its patch for netqmail   6            exit code 82         "Dtext" for ever, "Ztext" for now
    simscan's patch, sagredo's qmail           4            82                   the same
    sagredo's qmail, indimail with ERROR_FD    $ERROR_FD    88 (82 for 6)        the same
    qsmtpd of this project                     $QQREPLY, 6  82                   "554 5.7.1 text"
    all others                                 none         31, 71

A wrong guess costs: under notqmail, words on 4 with 82 turn a refusal into endless retries, and words on a descriptor that is
somebody's data damage it.  So a descriptor that nobody named counts only when it is a FIFO open for writing alone, and not the
FIFO of descriptor 0, 1 or 2; descriptor 2 is never guessed.  Nothing may be opened before detect(), or we might see our own.
"""

import os
from fcntl import F_GETFL, fcntl
from stat import S_ISFIFO

from qsmtpd.qmail import env
from qsmtpd.qmail.exitcodes import CUSTOM, CUSTOM_ERROR_FD, REFUSED, REFUSED_NOW

from .reply import Reply

REPLY_FD = 6
GUESSED = (6, 4)
TEXT_MAX = 250
"""Bytes on the channel: qmail.c reads 255, simscan's patch counts a NUL."""
LINE_MAX = 480
"""Bytes of a line for qsmtpd, which makes one line of its reply of it."""
LINES_MAX = 8
"""Lines for qsmtpd; they fit in its 4096 bytes."""


class Channel:
    """A descriptor, the exit code that makes the caller read it, and the wire on it: reply lines, or D and Z."""

    __slots__ = ("exit_code", "fd", "reply_lines")

    def __init__(self, fd: int, exit_code: int, *, reply_lines: bool = False) -> None:
        self.fd = fd
        self.exit_code = exit_code
        self.reply_lines = reply_lines

    def words(self, reply: Reply) -> bytes:
        """The reply as it goes over this channel: one line without its end, or several for qsmtpd."""
        if self.reply_lines:
            start = f"{reply.code} {reply.status} "
            return b"\n".join([_fitted(start, line, "", LINE_MAX) for line in reply.lines[:LINES_MAX]])
        return _fitted("D" if reply.permanent else "Z", reply.text, f" (#{reply.status})", TEXT_MAX)


def detect(variable: "Variable" = env.get, descriptors: "Mapping[int, int] | None" = None) -> Channel | None:
    """The caller's channel; None when it has none, or names one that is not there.

    variable     gives the value of a variable of the caller's
    descriptors  ours, by the numbers that he knows them by; those of this process when not given
    """
    return _Caller(descriptors).channel(variable("ERROR_FD"), variable("QQREPLY"))


def tell_score(channel: Channel | None, score: float | None) -> None:
    """Tell qsmtpd the score of a message that is handed on; nobody else would understand it."""
    if channel is not None and channel.reply_lines and score is not None:
        try:
            os.write(channel.fd, b"score=%.1f\n" % score)
        except OSError:
            pass


def refuse(channel: Channel | None, reply: Reply) -> int:
    """Say it on the channel; returns what to exit with, which is 31 or 71 when the words cannot be said."""
    if channel is not None:
        try:
            os.write(channel.fd, channel.words(reply))
            return channel.exit_code
        except OSError:
            pass
    return REFUSED if reply.permanent else REFUSED_NOW


class _Caller:
    """The descriptors of who has called."""

    __slots__ = ("_ours",)

    def __init__(self, ours: "Mapping[int, int] | None") -> None:
        self._ours = ours

    def channel(self, named: bytes | None, said: bytes | None) -> Channel | None:
        """What ERROR_FD and QQREPLY, or the descriptors themselves, make the channel."""
        if named is not None:
            return self._named(named)
        if said == b"%d" % REPLY_FD and self._is_channel(REPLY_FD):
            return Channel(self._fd(REPLY_FD), CUSTOM, reply_lines=True)
        for number in GUESSED:
            if self._is_channel(number):
                return Channel(self._fd(number), CUSTOM)
        return None

    def _fd(self, number: int) -> int:
        """Ours; -1 for one that is not there."""
        return number if self._ours is None else self._ours.get(number, -1)

    def _named(self, value: bytes) -> Channel | None:
        """The channel of ERROR_FD; "-1" says that there is none, and so does what makes no sense."""
        if not (value.isdigit() and len(value) <= 4):
            return None
        number = int(value)
        fd = self._fd(number)
        if number in (0, 1) or not _is_fifo(fd) or _access(fd) == os.O_RDONLY:
            return None
        return Channel(fd, CUSTOM if number == REPLY_FD else CUSTOM_ERROR_FD)

    def _is_channel(self, number: int) -> bool:
        fd = self._fd(number)
        if not _is_fifo(fd) or _access(fd) != os.O_WRONLY:
            return False
        return _identity(fd) not in [_identity(self._fd(standard)) for standard in (0, 1, 2)]


def _is_fifo(fd: int) -> bool:
    try:
        return S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def _access(fd: int) -> int:
    return fcntl(fd, F_GETFL) & os.O_ACCMODE


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _fitted(before: str, text: str, after: str, most: int) -> bytes:
    room = most - len(before) - len(after)
    printable = "".join([character if " " <= character <= "~" else "?" for character in text[:room]])
    return f"{before}{printable}{after}".encode("ascii")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Variable = Callable[[str], bytes | None]
