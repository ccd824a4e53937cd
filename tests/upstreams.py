"""SMTP servers of the rest of the world, on loopback: each does what its test says, in a thread, and notes what it heard."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Behaviour = Callable[["Visit"], None]


class Visit:
    """One connection, from the server's side.

    heard  the lines of the client so far
    """

    def __init__(self, connection: socket.socket, heard: list[bytes]) -> None:
        self.connection = connection
        self.heard = heard
        self._file = connection.makefile("rb")

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def line(self) -> bytes:
        """The client's next line, b"" when it has gone."""
        line = self._file.readline().rstrip(b"\r\n")
        if line:
            self.heard.append(line)
        return line


class Upstream:
    """A server: port, and everything that all its clients have said."""

    def __init__(self, behaviour: Behaviour, address: str, port: int) -> None:
        self.heard: list[bytes] = []
        self.visits = 0
        self._behaviour = behaviour
        self._listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.visits += 1
            self._threads.append(threading.Thread(target=self._visit, args=(connection,)))
            self._threads[-1].start()

    def _visit(self, connection: socket.socket) -> None:
        connection.settimeout(15)
        with connection:
            try:
                self._behaviour(Visit(connection, self.heard))
            except OSError:
                pass  # the client has gone, as some do


@contextmanager
def upstream(behaviour: Behaviour, address: str = "127.0.0.1", port: int = 0) -> Iterator[Upstream]:
    """A server for the time of a with statement; port 0 is any that is free."""
    server = Upstream(behaviour, address, port)
    try:
        yield server
    finally:
        server.stop()


def polite(answers: dict[bytes, bytes] | None = None, *, slow: float = 0.0, greeting: bytes = b"220 fake ESMTP") -> Behaviour:
    """A server that answers each command with 250.

    answers  other answers, by the beginning of the command
    slow     seconds before it answers RCPT
    """
    known = {b"QUIT": b"221 bye", **(answers or {})}

    def behave(visit: Visit) -> None:
        visit.say(greeting + b"\r\n")
        while line := visit.line():
            if line.upper().startswith(b"RCPT"):
                time.sleep(slow)
            answer = next((text for start, text in known.items() if line.upper().startswith(start.upper())), b"250 ok")
            visit.say(answer + b"\r\n")
            if line.upper() == b"QUIT":
                return
    return behave
