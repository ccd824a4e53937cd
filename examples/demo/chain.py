"""Starts the chain in its home, and ends it by its process ids."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from home import ROOT, Home, NotReadyError, program

START_SECONDS = 30.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02

SPAMD_RULES = r"""
use_bayes 0
body   GTUBE  /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/
score  GTUBE  1000
body   OFFER  /unbeatable offer/i
score  OFFER  6.5
"""
"""A small set of our own, which loads in a second; Debian's has thousands."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """A program that runs until it is stopped, with all that it starts: a session of its own, its output in a file."""

    def __init__(self, name: str, argv: Sequence[str], home: Home, ready: Callable[[], bool]) -> None:
        self.name = name
        self.log = home.path / f"{name}.log"
        self.ready = ready
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                argv, env=home.env, cwd=home.path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self.process.pid

    def trouble(self, deadline: float) -> str:
        """Wait until it is ready; returns "" or, as soon as that is known, why it will not be."""
        while not self.ready():
            if self.process.poll() is not None:
                return f"it ended at once: {last_words(self.log)}"
            if time.monotonic() > deadline:
                return f"it was not ready after {START_SECONDS:.0f} s: {last_words(self.log)}"
            time.sleep(POLL_SECONDS)
        return ""

    def stop(self) -> None:
        """End its process group, gently first, and wait until nobody of it is left."""
        members = _group(self.pid)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + STOP_SECONDS
            while any(_alive(member) for member in members) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            if not any(_alive(member) for member in members):
                break
        self.process.wait()


class Chain:
    """tcpserver with qsmtpd, and holdq, under svscan; beside them clamd and spamd.

    missing  scanner: why it could not be had
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
        scanners = [self._scanner("clamd", self._clamd), self._scanner("spamd", self._spamd)]
        svscan = self._add("svscan", [program("svscan"), str(self.home.services)], self._services_are_up)
        self._settle(svscan, deadline)
        for daemon in scanners:
            if daemon is not None:
                self._settle_scanner(daemon, deadline)

    def stop(self) -> None:
        for daemon in self.daemons:
            daemon.stop()
        self.daemons.clear()

    def service(self, name: str, order: str) -> None:
        """Send a service of supervise up (-u) or down (-d), and wait until it is there."""
        directory = str(self.home.services / name)
        self.home.run(program("svc"), order, directory)
        wanted = order == "-u"
        deadline = time.monotonic() + STOP_SECONDS
        while (self.service_pid(name) is not None) != wanted:
            if time.monotonic() > deadline:
                raise NotReadyError(f"{name} did not obey svc {order}")
            time.sleep(POLL_SECONDS)

    def service_pid(self, name: str) -> int | None:
        """The process id of a service that is up."""
        said = self.home.run(program("svstat"), str(self.home.services / name), check=False)
        found = re.search(r": up \(pid (\d+)\)", said)
        return int(found[1]) if found else None

    def socket(self, scanner: str) -> Path:
        """Where a scanner listens."""
        return self.home.path / f"{scanner}.sock"

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
            self.daemons.remove(daemon)
            daemon.stop()
        else:
            self.home.set(daemon.name, str(self.socket(daemon.name)))

    def _scanner(self, name: str, argv: Callable[[], list[str]]) -> Daemon | None:
        try:
            return self._add(name, argv(), lambda: _accepts(self.socket(name)))
        except NotReadyError:
            self.missing[name] = "it is not installed"
            return None

    def _clamd(self) -> list[str]:
        path = program("clamd")
        place = self.home.path / "clamd"
        place.mkdir()
        shutil.copy(ROOT / "examples/clamav/frontline.ndb", place)
        config = self.home.path / "clamd.conf"
        config.write_text(
            f"Foreground yes\nDatabaseDirectory {place}\nLocalSocket {self.socket('clamd')}\n"
            "LocalSocketMode 600\nMaxThreads 2\n")
        return [path, "-c", str(config)]

    def _spamd(self) -> list[str]:
        path = program("spamd")
        place = self.home.path / "spamd"
        for name in ("rules", "config", "home"):
            (place / name).mkdir(parents=True)
        (place / "home").chmod(0o1777)
        (place / "config/init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
        (place / "config/local.cf").write_text(SPAMD_RULES)
        (place / "rules/none.cf").write_text("# none\n")
        return [
            path, "-L", "--nouser-config", f"--configpath={place}/rules", f"--siteconfigpath={place}/config",
            f"--socketpath={self.socket('spamd')}", "--socketmode=600", "--max-children=2", "--min-children=1", "--max-spare=1",
            "--syslog=stderr", f"--helper-home-dir={place}/home", f"--pidfile={place}/pid"]


def last_words(log: Path) -> str:
    """The end of a log, on one line of printable ASCII."""
    try:
        text = log.read_bytes()[-300:].decode("ascii", "backslashreplace")
    except OSError:
        return "(no log)"
    return " ".join(text.split()) or "(no word)"


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _group(number: int) -> list[psutil.Process]:
    """The processes of a process group."""
    return [process for process in psutil.process_iter() if _group_of(process.pid) == number]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def _alive(process: psutil.Process) -> bool:
    """Not so a zombie, which only waits for a parent that may not care."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
