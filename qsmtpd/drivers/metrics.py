"""Figures of a worker for Prometheus, on a loopback port: sessions, decisions by rule, their time, how late the loop is.

They are counted from the lines of the log, so they say what it says.  The text format is Prometheus's, version 0.0.4.
"""

import asyncio
from collections import Counter

BOUNDS = (0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds: the upper bounds of the classes of sessions."""
SERIES_MAX = 2000
"""Rules and codes that are counted one by one; what comes after them is counted together."""
REQUEST_MAX = 8192
PATIENCE = 5.0
"""Seconds for a request."""


class Figures:
    """What has been counted so far.

    lag  seconds by which the loop was late at worst since the page was read last
    """

    def __init__(self) -> None:
        self.lag = 0.0
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._classes = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def count(self, event: str, pairs: "Pairs") -> None:
        """Take a line of the log into account."""
        if event == "session":
            found = dict(pairs)
            self._add("sessions", _text(found.get("verdict")), _text(found.get("rule")))
            self._took(_number(found.get("ms")) / 1000)
        elif event == "message" and "id" not in (found := dict(pairs)):
            self._add("scanned", _text(found.get("verdict")), _text(found.get("rule")))
        elif event in ("rcpt", "message"):
            found = dict(pairs)
            self._add("recipients" if event == "rcpt" else "messages", _text(found.get("code")), _text(found.get("rule")))
        elif event in ("fault", "lookup"):
            self._add("troubles", event, "")

    def page(self, connections: int) -> bytes:
        """The page."""
        lines = ["# TYPE qsmtpd_connections gauge", f"qsmtpd_connections {connections}"]
        for name, label in (("sessions", "verdict"), ("recipients", "code"), ("messages", "code"), ("scanned", "verdict"),
                            ("troubles", "kind")):
            lines.append(f"# TYPE qsmtpd_{name}_total counter")
            lines += [
                f'qsmtpd_{name}_total{{{label}="{_escaped(value)}",rule="{_escaped(rule)}"}} {count}'
                for (kind, value, rule), count in sorted(self._counts.items()) if kind == name]
        lines += ["# TYPE qsmtpd_session_seconds histogram", *self._histogram()]
        lines += ["# TYPE qsmtpd_loop_lag_seconds gauge", f"qsmtpd_loop_lag_seconds {self.lag:.6f}"]
        self.lag = 0.0
        return ("\n".join(lines) + "\n").encode("ascii", "replace")

    def _histogram(self) -> list[str]:
        lines, below = [], 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._classes, strict=True):
            below += count
            lines.append(f'qsmtpd_session_seconds_bucket{{le="{bound}"}} {below}')
        return [*lines, f"qsmtpd_session_seconds_sum {self._seconds:.3f}", f"qsmtpd_session_seconds_count {below}"]

    def _add(self, kind: str, value: str, rule: str) -> None:
        key = kind, value, rule
        if key not in self._counts and len(self._counts) >= SERIES_MAX:
            key = kind, "other", "other"
        self._counts[key] += 1

    def _took(self, seconds: float) -> None:
        self._seconds += seconds
        number = sum(seconds > bound for bound in BOUNDS)
        self._classes[number] += 1


async def publish(figures: Figures, connections: "Callable[[], int]", address: str, port: int) -> asyncio.Server:
    """Answer GET /metrics on a port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            writer.write(_response(request, figures, connections))
            await asyncio.wait_for(writer.drain(), PATIENCE)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, address, port, limit=REQUEST_MAX)


def _response(request: bytes, figures: Figures, connections: "Callable[[], int]") -> bytes:
    if not request.startswith((b"GET /metrics ", b"GET /metrics?")):
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    page = figures.page(connections())
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % len(page)) + page


def _text(value: bytes | str | int | None) -> str:
    return "" if value is None else value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _number(value: bytes | str | int | None) -> int:
    return value if isinstance(value, int) else 0


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..qmail.logline import Pairs
