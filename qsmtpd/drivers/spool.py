"""A message on its way to a queue program that is not started before the message is whole: in memory, or in a file when it is
large, or when all messages together have much of the memory (budget.py).

The file has no name, so nothing of it outlives us.  Threads of the loop's write, read and close it, for a disk may stand still.
"""

import asyncio
import os
import tempfile

from ..qmail import env
from .budget import Budget

MEMORY_MAX = 262144
"""Bytes of a message that are kept in memory; with one more all of it goes to the file."""
PIECE = 65536


class SpoolError(Exception):
    """The message is lost; str() says why."""


class Spool:
    """Give add(), then take() until there is nothing more, then close()."""

    __slots__ = ("_budget", "_directory", "_file", "_held", "_in_file", "_pieces", "_reads")

    def __init__(self, budget: Budget, directory: str | None = None) -> None:
        """directory  where the file is made; None: in TMPDIR, or /tmp.

        The library is not asked for a directory: it would try one after the other by a file that a kill leaves there, and go
        elsewhere when the disk is full.
        """
        self._budget = budget
        self._directory = directory or os.fsdecode(env.get("TMPDIR") or b"/tmp")
        self._file: BinaryIO | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self._in_file = self._reads = False

    async def add(self, data: bytes) -> None:
        """Put the next piece behind the others.

        Raises:
            SpoolError: it could not be written.
            MemoryError: all messages together have too much.
        """
        self._pieces.append(data)
        self._held += len(data)
        self._budget.take(len(data))
        if self._budget.overdrawn:
            raise MemoryError
        if self._in_file or self._held > MEMORY_MAX or self._budget.spills:
            self._in_file = True
            try:
                await _in_a_thread(self._write)
            finally:
                self._forget()

    async def take(self) -> bytes:
        """The next piece from the beginning, b"" at the end.

        Raises:
            SpoolError: it could not be read, or not be written.
        """
        if self._in_file:
            return await _in_a_thread(self._read)
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def close(self) -> None:
        """It is not needed any more."""
        self._pieces.clear()
        self._forget()
        if self._file is not None:
            asyncio.get_running_loop().run_in_executor(None, _close, self._file)

    def _forget(self) -> None:
        """What was in memory is there no more."""
        self._budget.take(-self._held)
        self._held = 0

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - see close()
        self._file.writelines(self._pieces)
        self._pieces.clear()

    def _read(self) -> bytes:
        assert self._file
        if not self._reads:
            self._reads = True
            self._file.seek(0)
        return self._file.read(PIECE)


async def _in_a_thread(what: "Callable[[], T]") -> "T":
    """What is thrown at who waits, an OSError perhaps, is never taken for the disk's."""
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, _named, what))


def _named(what: "Callable[[], T]") -> "T":
    try:
        return what()
    except OSError as error:
        raise SpoolError(f"{type(error).__name__}: {error}") from error


def _close(file: "BinaryIO") -> None:
    try:
        file.close()
    except OSError:
        pass  # what it still had to write is not wanted


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, TypeVar

    T = TypeVar("T")
