"""What is left in peace for a while because it failed several times in a row: a name server, a DNSBL zone.

Each has a file in one directory; its size is the number of failures in a row, its time of change the end of the rest.  So the
next process knows, and pays a directory listing for it.  Without the directory nothing is remembered.
"""

import posix

STRIKES = 3
"""Failures in a row until the rest begins."""
REST = 120
"""Seconds, at most: a time of change further ahead is of a clock that was wrong."""
MEMORY = 3600
"""Seconds after which failures are too old to be in a row with a new one."""

_FLAGS = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.+")


class Marks:
    """The marks in a directory, as they were when it was first looked into.  No method raises for what the disk does."""

    __slots__ = ("_directory", "_until")

    def __init__(self, directory: str) -> None:
        self._directory = directory.encode("utf-8", "surrogateescape")
        self._until: dict[bytes, float] | None = None

    def has(self, name: bytes, now: float) -> bool:
        """Whether a name rests, or one of the domains above it does."""
        until = self._ends()
        while until and name:
            if rests(until.get(name, 0), now):
                return True
            name = name.partition(b".")[2]
        return False

    def strike(self, name: bytes, now: float, strikes: int = 1, rest: float = REST) -> bool:
        """It has failed: that many strikes; True when it rests from now on, False also when it rests already.

        name  from the configuration, in lower case; what the network says must never come here
        """
        until, path = self._ends(), self._directory + b"/" + name
        if not name or name.startswith(b".") or not _PLAIN.issuperset(name) or rests(until.get(name, 0), now):
            return False
        try:
            if until.get(name, now) < now - MEMORY:
                posix.unlink(path)
            fd = posix.open(path, _FLAGS, 0o644)
            try:
                posix.write(fd, b"x" * strikes)
                resting = posix.fstat(fd).st_size >= STRIKES
                until[name] = now + rest if resting else now
                posix.utime(fd, (until[name], until[name]))
            finally:
                posix.close(fd)
        except OSError:
            return False
        return resting

    def clear(self, name: bytes) -> None:
        """It has answered: its failures are forgotten."""
        if self._ends().pop(name, None) is not None:
            try:
                posix.unlink(self._directory + b"/" + name)
            except OSError:
                pass

    def _ends(self) -> dict[bytes, float]:
        """Name: until when it rests, or when it failed last, in seconds since 1970."""
        if self._until is None:
            self._until = {}
            try:
                for name in posix.listdir(self._directory):
                    self._until[name] = posix.stat(self._directory + b"/" + name).st_mtime
            except OSError:
                pass
        return self._until


def rests(until: float, now: float) -> bool:
    """Whether something whose rest ends then rests still."""
    return now < until <= now + REST
