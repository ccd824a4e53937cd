"""The throw-away home of the demo: control files, recipients, Maildirs, tcp.smtp, and the service directories."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = Path(sys.prefix)
"""The virtual environment whose python runs this: bin/ there holds the programs of the chain."""

DOMAIN = "demo.test"
USERS = ("ann", "ben")
BLOCKED = "127.0.0.2"
"""The client that tcp.smtp.d blocks: an address of loopback, like all others."""
DATABYTES = 50000
SPAM_REJECT = 12

PASSED_ON = ("LANG", "LC_ALL")
"""What the programs see of our caller's environment: a QMAILQUEUE or DATABYTES of his would be obeyed."""


class NotReadyError(Exception):
    """The demo cannot show what it is there for; str() says why."""


def search_path() -> str:
    """Daemons and smtp-source are in sbin, where an ordinary user's PATH does not lead."""
    return os.pathsep.join([os.environ.get("PATH", "/usr/bin:/bin"), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def program(name: str) -> str:
    """The path of a program that somebody else has made.

    Raises:
        NotReadyError: it is not installed.
    """
    found = shutil.which(name, path=search_path())
    if found is None:
        raise NotReadyError(f"{name} is not installed: tests/packages.txt lists the Debian packages that the demo drives")
    return found


def ours(name: str) -> str:
    """The path of a program of this project.

    Raises:
        NotReadyError: this python is not the one that make has installed the project for.
    """
    path = INSTALLED / "bin" / name
    if not path.exists():
        raise NotReadyError(f"{path} is not there: start the demo by make demo")
    return str(path)


class Home:
    """A directory with all that the chain needs; every path below is within it.

    port  of 127.0.0.1, where tcpserver will listen
    env   the environment of everything that is started
    """

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.port = port
        self.control = path / "control"
        self.rules = path / "tcp.smtp"
        self.services = path / "service"
        self.mail = path / "mail"
        self.env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.env |= {
            "PATH": search_path(), "TMPDIR": str(path / "tmp"), "QMAILHOME": str(path), "FRONTLINE": str(INSTALLED),
            "ADDRESS": "127.0.0.1", "LOOKUP": "-H", "PORT": str(port), "RULES": str(self.rules / "tcp.smtp.cdb"),
            "ONE_UID": "1"}

    def make(self) -> None:
        """Write everything, by the programs that an administrator would use.

        Raises:
            NotReadyError: one of them failed.
        """
        (self.path / "tmp").mkdir()
        (self.path / "tmp").chmod(0o1777)  # for spamd, which may be nobody
        self._controls()
        self._recipients()
        self._rules()
        self._services()
        self.run(ours("holdq"), "init", "--one-uid")

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program to its end in the home's environment; returns what it printed.

        Raises:
            NotReadyError: it failed, with its last words.
        """
        done = subprocess.run(argv, env=self.env, cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=20, check=False)
        if check and done.returncode:
            raise NotReadyError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout.strip()[-300:]}")
        return done.stdout

    def set(self, name: str, *lines: str) -> None:
        """Write a control file."""
        (self.control / name).write_text("".join(f"{line}\n" for line in lines))

    def maildirs(self) -> dict[str, list[Path]]:
        """The delivered messages of each user."""
        return {user: sorted((self.mail / user / "new").iterdir()) for user in USERS}

    def _controls(self) -> None:
        self.control.mkdir()
        self.set("me", f"mx.{DOMAIN}")
        self.set("rcpthosts", DOMAIN)
        self.set("qqnext", ours("holdq-queue"))
        self.set("qqtmp", str(self.path / "tmp"))
        self.set("spamreject", str(SPAM_REJECT))
        self.set("holdqload", "1000")  # the gate stays open: a busy machine would hold the mail, and the demo has to end

    def _recipients(self) -> None:
        for user in USERS:
            for part in ("tmp", "new", "cur"):
                (self.mail / user / part).mkdir(parents=True)
        self.set("holdqusers", *(f"{user}@{DOMAIN} {self.mail / user}" for user in USERS))
        addresses = self.path / "recipients"
        addresses.write_text("".join(f"{user}@{DOMAIN}\n" for user in USERS))
        self.run(ours("validusers"), "--no-qmail", "--list", str(addresses))

    def _rules(self) -> None:
        (self.rules / "tcp.smtp.d").mkdir(parents=True)
        shutil.copy(ROOT / "examples/tcp.smtp/Makefile", self.rules)
        (self.rules / "tcp.smtp").write_text(
            f'# Everybody: through qqshim, and at most {DATABYTES} bytes.\n'
            f':allow,QMAILQUEUE="{ours("qqshim")}",DATABYTES="{DATABYTES}"\n')
        (self.rules / "tcp.smtp.d/50-blocked").write_text(
            f'{BLOCKED}:allow,RBLSMTPD="-your host sent us nothing but spam today",DATABYTES="{DATABYTES}",'
            f'QMAILQUEUE="{ours("qqshim")}"\n')
        self.run("make", "--silent", "--directory", str(self.rules), f"TCPSMTP={ours('tcpsmtp')}")

    def _services(self) -> None:
        """The very directories that an administrator copies; ONE_UID keeps them under one user, be it root."""
        self.services.mkdir()
        for name in ("qsmtpd", "holdq"):
            shutil.copytree(ROOT / "examples/run" / name, self.services / name)
