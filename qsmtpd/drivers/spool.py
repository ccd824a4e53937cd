"""A message on its way to a queue program that is not started before the message is whole: in memory, a large one in a file.

The file has no name, so nothing of it outlives us.  Threads of the loop's write, read and close it, for a disk may stand still.
"""

import asyncio
import tempfile

MEMORY_MAX = 262144
"""Bytes of a message that are kept in memory; with one more all of it goes to the file."""
PIECE = 65536


class SpoolError(Exception):
    """The message is lost; str() says why."""


class Spool:
    """Give add(), then take() until there is nothing more, then close()."""

    __slots__ = ("_directory", "_file", "_pieces", "_reads", "_size")

    def __init__(self, directory: str | None = None) -> None:
        """directory  where the file is made; None: where the system has its temporary files."""
        self._directory = directory
        self._file: BinaryIO | None = None
        self._pieces: list[bytes] = []
        self._reads = False
        self._size = 0

    async def add(self, data: bytes) -> None:
        """Put the next piece behind the others.

        Raises:
            SpoolError: it could not be written.
        """
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MEMORY_MAX:
            await _in_a_thread(self._write)

    async def take(self) -> bytes:
        """The next piece from the beginning, b"" at the end.

        Raises:
            SpoolError: it could not be read, or not be written.
        """
        if self._size > MEMORY_MAX:
            return await _in_a_thread(self._read)
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def close(self) -> None:
        """It is not needed any more."""
        self._pieces.clear()
        if self._file is not None:
            asyncio.get_running_loop().run_in_executor(None, _close, self._file)

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
