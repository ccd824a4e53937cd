"""SMTP clients, each with an address of its own."""

import socket
from types import TracebackType
from typing import Self

MAIL = "".join(f"{field}\r\n" for field in (
    "From: <a@sender.test>", "To: <you@example.org>", "Date: Sat, 21 Nov 2026 20:00:00 +0000", "Message-ID: <1@sender.test>"))
"""A header to which nobody objects."""
TEXT = f"{MAIL}\r\nHello\r\n"


class Client:
    """A client, from its greeting on.

    answers  all that it was told, one string a reply, "\\n" between the lines
    """

    def __init__(self, server: tuple[str, int], ip: str = "127.66.0.1", port: int = 0) -> None:
        """Connects from an address and, when it matters, a port; reads the greeting."""
        self._socket = connected(server, ip, port)
        self._file = self._socket.makefile("rb")
        self.answers: list[str] = []
        self.greeting = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _answer(self) -> str:
        lines = []
        while line := self._file.readline().decode("ascii"):
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        self.answers.append("\n".join(lines))
        return self.answers[-1]

    def say(self, *commands: str) -> list[str]:
        """The answers to some commands, one after the other; "" from one who has closed the connection."""
        answers = []
        for command in commands:
            try:
                self._socket.sendall(command.encode("ascii") + b"\r\n")
                answers.append(self._answer())
            except ConnectionError:
                answers.append("")
        return answers

    def rcpt(self, *recipients: str, sender: str = "a@sender.test", helo: str = "mail.sender.test") -> list[str]:
        """The answers to RCPT, after EHLO and MAIL; that of MAIL or EHLO when it was no good."""
        for command in (f"EHLO {helo}", f"MAIL FROM:<{sender}>"):
            answer = self.say(command)[0]
            if not answer.startswith("250"):
                return [answer]
        return self.say(*[f"RCPT TO:<{recipient}>" for recipient in recipients])

    def data(self, text: str = TEXT) -> str:
        """The answer to a message; that to DATA when it was no good."""
        answer = self.say("DATA")[0]
        if not answer.startswith("354"):
            return answer
        return self.say(text + ".")[0]

    def send(self, recipient: str = "you@example.org", text: str = TEXT, sender: str = "a@sender.test") -> str:
        """Deliver a message as a careful client does; the answer that ended it."""
        if not self.greeting.startswith("220"):
            return self.greeting
        for answer in self.rcpt(recipient, sender=sender):
            if not answer.startswith("250"):
                self.say("QUIT")
                return answer
        answer = self.data(text)
        self.say("QUIT")
        return answer


def connected(server: tuple[str, int], ip: str, port: int) -> socket.socket:
    """A connection from an address and a port, which another one may have had a moment before."""
    connection = socket.socket()
    try:
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind((ip, port))
        connection.connect(server)
    except OSError:
        connection.close()
        raise
    return connection


def greeted(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True
