"""The clients that send the mail: swaks, Postfix's smtp-source, and a bare socket for what no decent client sends."""

import re
import socket
import subprocess
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from home import Home, program

SECONDS = 20
"""For a whole session."""
LOOPBACK = "127.0.0.1"


class Letter(NamedTuple):
    """What swaks sends.

    interface   the address of this machine that it sends from
    attachment  the text of a second part
    """

    recipients: Sequence[str]
    body: str = "Nothing special today.\n"
    interface: str = LOOPBACK
    attachment: str = ""


def swaks(home: Home, hello: str, sender: str, letter: Letter) -> list[str]:
    """Send a letter; returns what the client heard, as heard() has it."""
    attached = []
    if letter.attachment:
        file = _file(home, f"{hello}.attachment", letter.attachment)
        attached = ["--attach-type", "application/octet-stream", "--attach", f"@{file}"]
    said = _run(home, [
        program("swaks"), "--server", LOOPBACK, "--port", str(home.port), "--local-interface", letter.interface,
        "--helo", hello, "--from", sender, "--to", ",".join(letter.recipients), "--header", f"Subject: {hello}",
        "--body", f"@{_file(home, f'{hello}.body', letter.body)}", "--timeout", str(SECONDS), "--hide-send", *attached])
    return heard(re.findall(r"^<(?:-|\*\*) +(\d{3}[ -].*)$", said, re.MULTILINE))


def burst(home: Home, hello: str, sender: str, recipient: str, count: int) -> list[str]:
    """Send the messages in five sessions at a time; smtp-source is silent as long as each is accepted."""
    said = _run(home, [
        program("smtp-source"), "-s", "5", "-m", str(count), "-l", "2000", "-M", hello, "-f", sender, "-t", recipient,
        f"{LOOPBACK}:{home.port}"])
    return [" ".join(said.split()) or f"250 to each of {count} messages"]


def by_hand(home: Home, hello: str, sender: str, recipient: str, message: bytes) -> list[str]:
    """Send a message byte for byte as it is given, and what follows it in the same breath."""
    commands = [f"EHLO {hello}", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"]
    replies = []
    with socket.create_connection((LOOPBACK, home.port), SECONDS) as connection, connection.makefile("rb") as answers:
        replies.append(_reply(answers.readline))
        for piece in [*(f"{command}\r\n".encode() for command in commands), message]:
            connection.sendall(piece)
            replies.append(_reply(answers.readline))
    return heard([reply for reply in replies if reply])


def heard(replies: Sequence[str]) -> list[str]:
    """What of a session's replies matters: the refusals, or else the last word on the message; equal ones are counted."""
    refusals = [reply for reply in replies if reply[0] in "45"]
    if not refusals:
        return [reply for reply in replies if not reply.startswith("221")][-1:]
    counts = [(reply, len(list(same))) for reply, same in groupby(refusals)]
    return [f"{reply} ({count} times)" if count > 1 else reply for reply, count in counts]


def _reply(read_line: Callable[[], bytes]) -> str:
    """The last line of a reply; "" when the server has hung up."""
    line = read_line()
    while line[3:4] == b"-":
        line = read_line()
    return line.decode("ascii", "backslashreplace").rstrip("\r\n")


def _file(home: Home, name: str, text: str) -> Path:
    path = home.path / "tmp" / name
    path.write_text(text)
    return path


def _run(home: Home, argv: Sequence[str]) -> str:
    done = subprocess.run(argv, env=home.env, cwd=home.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=SECONDS + 10, check=False)
    return done.stdout.decode("ascii", "backslashreplace").replace("\r\n", "\n")
