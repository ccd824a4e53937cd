"""The chain: tcpserver with qsmtpd, and holdq, under svscan; beside them clamd and spamd."""

import re
import socket
import time
from collections.abc import Callable, Sequence

import scanners
from home import Home, NotReadyError, program
from processes import Daemon, end_stragglers, last_words

START_SECONDS = 30.0
SERVICE_SECONDS = 5.0
POLL_SECONDS = 0.02


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Chain:
    """What runs.

    daemons  svscan, and the scanners that can be had
    missing  scanner: why it cannot be had
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.daemons: list[Daemon] = []
        self.missing: dict[str, str] = {}

    def start(self) -> None:
        """Start all side by side, and wait until everything that can be had is there.

        Raises:
            NotReadyError: qsmtpd or holdq do not come up.
        """
        deadline = time.monotonic() + START_SECONDS
        started = [self._scanner(name) for name in scanners.COMMANDS]
        svscan = self._add("svscan", [program("svscan"), str(self.home.services)], self._services_are_up)
        self._settle(svscan, deadline)
        for daemon in started:
            if daemon is not None:
                self._settle_scanner(daemon, deadline)

    def stop(self) -> None:
        for daemon in self.daemons:
            daemon.stop()
        self.daemons.clear()
        end_stragglers(self.home)

    def service(self, name: str, order: str) -> None:
        """Send a service of supervise up (-u) or down (-d), and wait until it is there."""
        directory = str(self.home.services / name)
        self.home.run(program("svc"), order, directory)
        wanted = order == "-u"
        deadline = time.monotonic() + SERVICE_SECONDS
        while (self.service_pid(name) is not None) != wanted:
            if time.monotonic() > deadline:
                raise NotReadyError(f"{name} did not obey svc {order}")
            time.sleep(POLL_SECONDS)

    def service_pid(self, name: str) -> int | None:
        """The process id of a service that is up."""
        said = self.home.run(program("svstat"), str(self.home.services / name), check=False)
        found = re.search(r": up \(pid (\d+)\)", said)
        return int(found[1]) if found else None

    def _add(self, name: str, argv: Sequence[str], ready: Callable[[], bool]) -> Daemon:
        daemon = Daemon(name, argv, self.home, ready)
        self.daemons.append(daemon)
        return daemon

    def _services_are_up(self) -> bool:
        first_words = {"qsmtpd": b" tcpserver: status: 0/", "holdq": b" start "}
        logs = {name: self.home.services / name / "log/main/current" for name in first_words}
        return all(log.exists() and first_words[name] in log.read_bytes() for name, log in logs.items())

    def _settle(self, svscan: Daemon, deadline: float) -> None:
        why = svscan.trouble(deadline)
        if why:
            logs = [self.home.services / name / "log/main/current" for name in ("qsmtpd", "holdq")]
            raise NotReadyError("; ".join([f"svscan: {why}", *(f"{log}: {last_words(log)}" for log in logs)]))

    def _settle_scanner(self, daemon: Daemon, deadline: float) -> None:
        why = daemon.trouble(deadline)
        if why:
            self.missing[daemon.name] = why
            daemon.stop()
            self.daemons.remove(daemon)
        else:
            self.home.set(daemon.name, str(scanners.place(self.home, daemon.name)))

    def _scanner(self, name: str) -> Daemon | None:
        try:
            return self._add(name, scanners.COMMANDS[name](self.home), lambda: scanners.answers(self.home, name))
        except NotReadyError:
            self.missing[name] = "it is not installed"
            return None
