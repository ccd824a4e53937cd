"""The way in for a user who may not write in the spool: over the runner's socket (the other side is door.py).

Private module _socket: its public twin imports enum and selectors.
"""

import _socket

from qsmtpd.qmail.envelope import EnvelopeReader
from qsmtpd.qmail.exitcodes import COMMUNICATION, QUEUED

from . import layout, wire
from .incoming import NotHeldError

ANSWER_SECONDS = 1800.0
"""How long the door may keep us waiting before each of its bytes."""


class Door:
    """The runner's socket, for a user who may not write in the spool; the same three steps as an Arrival."""

    __slots__ = ("_reader", "_socket")

    def __init__(self, spool: layout.Spool) -> None:
        """Connects.

        Raises:
            NotHeldError: 74, nobody is there.
        """
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            self._socket.settimeout(ANSWER_SECONDS)
            self._socket.connect(spool.door)
        except OSError as error:
            self.discard()
            raise NotHeldError(COMMUNICATION, f"{spool.door}: {error.strerror or error}") from error
        self._reader = EnvelopeReader()
        self._send(wire.frame(b"H", wire.HELLO))

    def message(self, data: bytes) -> None:
        self._send(wire.frame(b"M", data))

    def envelope(self, data: bytes) -> bool:
        self._reader.feed(data)
        self._send(wire.frame(b"E", data))
        return self._reader.complete

    def accept(self) -> None:
        """Ask for the answer.

        Raises:
            EnvelopeError: the envelope is not complete, and the door was told nothing.
            NotHeldError: the answer was not 0, or there was none.
        """
        self._reader.finish()
        self._send(wire.frame(b"Q"))
        self._answer()

    def discard(self) -> None:
        """Hang up; before the answer came that means that nothing was given."""
        self._socket.close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            self._answer()  # it may have said why before it closed
            raise NotHeldError(COMMUNICATION, "the runner answered before it had everything") from None

    def _answer(self) -> None:
        try:
            answer = self._socket.recv(1)
        except OSError as error:
            raise NotHeldError(COMMUNICATION, f"the runner's answer: {error.strerror or error}") from error
        finally:
            self.discard()
        if not answer:
            raise NotHeldError(COMMUNICATION, "the runner closed the door")
        if answer[0] != QUEUED:
            raise NotHeldError(answer[0], "the runner could not store it")
