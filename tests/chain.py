"""The whole chain under supervise, as INSTALL builds it: tcpserver, qsmtpd, qqshim, holdq-queue, holdq run, multilog."""

import os
import pwd
import random
import shutil
import signal
import smtplib
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import ROOT, QmailHome, let_others_in
from tests.servers import free_port, listens, running, wait_until

SERVICES = ("qsmtpd", "holdq")


class Chain:
    """A chain that runs.

    user  everything runs as this user; None: root starts it, and each part becomes who it should be
    """

    def __init__(self, home: QmailHome, installation: Path, user: str | None) -> None:
        self.home = home
        self.installation = installation
        self.user = user
        self.port = free_port()
        self.services = home.path / "service"
        self.maildir = home.path / "Maildir"
        self.spool = home.path / "holdq"

    def build(self) -> None:
        """Control files, rules, spool, Maildir and service directories."""
        home, bin_directory = self.home, self.installation / "bin"
        home.write("rcpthosts", "bench.test")
        home.write("validrcptto", "good@bench.test")
        home.write("holdqusers", f"good@bench.test {self.maildir}/")
        # A machine that is busy with tests holds mail back, as it should.
        home.write("holdqload", "1000")
        home.write("qqnext", str(bin_directory / "holdq-queue"))
        rules = f':allow,QMAILQUEUE="{bin_directory}/qqshim"\n'
        cdb = home.path / "tcp.smtp.cdb"
        subprocess.run(["tcprules", cdb, f"{cdb}.tmp"], input=rules.encode(), check=True)
        for directory in ("", "tmp", "new", "cur"):
            (self.maildir / directory).mkdir()
        for name in SERVICES:
            shutil.copytree(ROOT / "examples/run" / name, self.services / name)
        self._give_away()
        init = ["init"] if self.user is None and os.getuid() == 0 else ["init", "--one-uid"]
        self.command("holdq", *init)

    def environment(self) -> dict[str, str]:
        """What the run scripts are told."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "QMAILHOME": str(self.home.path), "CONCURRENCY": "100",
            "FRONTLINE": str(self.installation), "ADDRESS": "127.0.0.1", "LOOKUP": "-H", "PORT": str(self.port),
            "RULES": str(self.home.path / "tcp.smtp.cdb")}

    def command(self, *words: str) -> str:
        """What one of the people's programs says."""
        argv = [*self._as_user(), str(self.installation / "bin" / words[0]), *words[1:]]
        return subprocess.run(argv, env=self.environment(), check=True, capture_output=True, text=True).stdout

    def send(self, text: str, sender: str = "a@b.test", recipient: str = "good@bench.test") -> int:
        """Send one message as a careful client does; the code that ends it, 0 when the connection broke before that."""
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
                client.ehlo("client.test")
                for code, _ in (client.mail(sender), client.rcpt(recipient)):
                    if code != 250:
                        return code
                return client.data(text)[0]
        except smtplib.SMTPDataError as error:
            return int(error.smtp_code)
        except (OSError, smtplib.SMTPException):
            return 0

    def delivered(self) -> list[str]:
        """The messages in the Maildir."""
        return [path.read_text() for path in sorted((self.maildir / "new").iterdir())]

    def pids(self, *names: str) -> list[int]:
        """The processes of this chain whose command line names one of the programs."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environ = (entry / "environ").read_bytes()
            except (OSError, ValueError):
                continue
            mine = f"PORT={self.port}".encode() in environ.split(b"\0")
            programs = {words[0], *(word.rpartition(b"/")[2] for word in words if b"/" in word)}
            if mine and not programs.isdisjoint(name.encode() for name in names):
                found.append(int(entry.name))
        return found

    def log(self, service: str) -> str:
        return "".join(path.read_text() for path in sorted((self.services / service / "log/main").glob("*")) if path.is_file())

    def _as_user(self) -> list[str]:
        return ["setuidgid", self.user] if self.user else []

    def _give_away(self) -> None:
        """Who owns what: the one user, or as on a server of qmail."""
        let_others_in(self.home.path)
        if os.getuid() != 0:
            return
        owner = self.user or "holdq"
        subprocess.run(["chown", "-R", f"{owner}:", self.maildir], check=True)
        if self.user:
            subprocess.run(["chown", "-R", f"{self.user}:", self.home.path], check=True)


@contextmanager
def killer(chain: Chain, seed: int, *names: str) -> Iterator[list[int]]:
    """For the time of a with statement, kill -9 of one of the named programs every few milliseconds; who was killed."""
    over = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        chance = random.Random(seed)
        while not over.wait(chance.uniform(0.02, 0.15)):
            victims = chain.pids(*names)
            if victims:
                victim = chance.choice(victims)
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        yield killed
    finally:
        over.set()
        killing.join()


@contextmanager
def started(home: QmailHome, installation: Path, user: str | None = None) -> Iterator[Chain]:
    """A chain for the time of a with statement, under a real svscan."""
    chain = Chain(home, installation, user)
    chain.build()
    argv = [*chain._as_user(), "svscan", chain.services]
    with running(argv, home.path / "svscan.log", lambda: listens(chain.port), env=chain.environment()) as svscan:
        wait_until(lambda: bool(chain.pids("holdq")), 20, "start of the runner")
        try:
            yield chain
        finally:
            stop(chain, svscan.pid)


def stop(chain: Chain, svscan: int) -> None:
    """svscan first, or it would start what is stopped again; then every service and its log."""
    os.kill(svscan, signal.SIGTERM)
    places = [chain.services / name for name in SERVICES]
    subprocess.run(["svc", "-dx", *places], check=False, capture_output=True)
    subprocess.run(["svc", "-dx", *(place / "log" for place in places)], check=False, capture_output=True)
    deadline = time.monotonic() + 10
    while chain.pids("qsmtpd", "holdq", "multilog", "tcpserver") and time.monotonic() < deadline:
        time.sleep(0.05)


def one_user() -> str | None:
    """Who runs a chain under one uid: ourselves, or for root an account that may do nothing else."""
    return pwd.getpwuid(os.getuid()).pw_name if os.getuid() else "holdq"
