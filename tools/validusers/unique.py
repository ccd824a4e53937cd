"""Keys in order and each once, in bounded memory: sort(1) does it, with temporary files in TMPDIR when there are many.

In order, so that the last cdb and the new one can be compared in one pass, and each once, because equal keys make the building
of a cdb take the square of their number.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Self

from qsmtpd.qmail import env

from .report import TroubleError

MEMORY = "100M"
COMMAND = ("sort", "-u", "-S", MEMORY)


class Sorter:
    """Takes keys (bytes without LF), then gives them back sorted by their bytes; to be used in a with statement."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20, env={**env.without(), b"LC_ALL": b"C"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        self._process.wait()

    def add(self, keys: Iterable[bytes]) -> int:
        """Take the keys; returns how many they were.

        Raises:
            TroubleError: sort failed, as it does when TMPDIR is full.
        """
        assert self._process.stdin
        write, count = self._process.stdin.write, 0
        try:
            for key in keys:
                write(key + b"\n")
                count += 1
        except BrokenPipeError as error:
            raise self._failed() from error
        return count

    def __iter__(self) -> Iterator[bytes]:
        """The keys; none can be added any more.

        Raises:
            TroubleError: as add().
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.close()
        except BrokenPipeError as error:
            raise self._failed() from error
        for line in self._process.stdout:
            yield line[:-1]
        if self._process.wait():
            raise self._failed()

    def _failed(self) -> TroubleError:
        directory = os.fsdecode(env.get("TMPDIR") or b"/tmp")
        return TroubleError(f"{' '.join(COMMAND)} failed with exit code {self._process.wait()}: is there room in {directory}? "
                       "TMPDIR names another place")
