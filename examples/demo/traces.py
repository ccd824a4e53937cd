"""What the logs say of a mail: the lines of qsmtpd, qqshim and holdq that belong together (docs/log.md)."""

import time
from pathlib import Path
from typing import NamedTuple

from home import Home

from qsmtpd.qmail import logline

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.02
TAI_OF_1970 = (1 << 62) + 10
"""What multilog's time stamps begin to count at."""


class Line(NamedTuple):
    """A line of a log.

    at      when multilog took it, in seconds
    values  its pairs, as bytes
    """

    at: float
    event: str
    values: dict[str, bytes]

    def number(self, key: str) -> int:
        return int(self.values.get(key, b"0"))

    def text(self, key: str) -> str:
        """A value as a person may see it."""
        return self.values.get(key, b"").decode("ascii", "backslashreplace")


class Trace:
    """All lines on the sessions of one client, who is known by the name that he says in EHLO."""

    def __init__(self, lines: list[Line], hello: str) -> None:
        self.sessions = [line for line in lines if line.event == "session" and line.text("helo") == hello]
        ids = {line.values["id"] for line in self.sessions}
        self.recipients = [line for line in lines if line.event == "rcpt" and line.values["id"] in ids]
        messages = [line for line in lines if line.event == "message"]
        self.messages = [line for line in messages if line.values.get("id") in ids]
        numbers = {line.values["qp"] for line in self.messages}
        self.scans = [line for line in messages if "id" not in line.values and line.values["qp"] in numbers]
        self.holds = [line for line in lines if line.event == "hold" and line.values["hold"] in numbers]
        self.releases = [line for line in lines if line.event == "release" and line.values["hold"] in numbers]

    @property
    def accepted(self) -> int:
        """For how many recipients we have said 250 to a message."""
        return sum(line.number("rcpts") for line in self.messages if line.number("code") == 250)

    @property
    def rules(self) -> str:
        """The checks that refused, as the log names them."""
        named = [line.text("rule") for line in (*self.recipients, *self.messages, *self.sessions)]
        return ", ".join(dict.fromkeys(name for name in named if name))


def read(home: Home) -> list[Line]:
    """All lines so far, of both services."""
    logs = [home.services / name / "log/main/current" for name in ("qsmtpd", "holdq")]
    return [line for log in logs if log.exists() for line in _lines(log)]


def wait(home: Home, hello: str, sessions: int, *, delivered: bool) -> Trace:
    """The trace of so many sessions, as soon as they are over and, if wanted, their mail is delivered; or after a time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        trace = Trace(read(home), hello)
        arrived = not delivered or len(trace.releases) == trace.accepted
        if (len(trace.sessions) >= sessions and arrived) or time.monotonic() > deadline:
            return trace
        time.sleep(POLL_SECONDS)


def _lines(log: Path) -> list[Line]:
    """Those that are whole; tcpserver's own, which are of another form, are left out."""
    found = []
    for raw in log.read_bytes().split(b"\n")[:-1]:
        stamp, _, text = raw.partition(b" ")
        try:
            event, values = logline.parse(text)
        except ValueError:
            continue
        found.append(Line(_seconds(stamp), event, values))
    return found


def _seconds(stamp: bytes) -> float:
    """From TAI64N: "@", 16 hexadecimal digits of seconds, 8 of nanoseconds."""
    return int(stamp[1:17], 16) - TAI_OF_1970 + int(stamp[17:25], 16) / 1e9
