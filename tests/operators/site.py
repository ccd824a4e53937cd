"""A site that has installed one of the rule sets of examples/rulesets: its files and the run script, as they are shipped.

What a site has besides is written here: its name, its domains, its users.  The clients are addresses of 127.0.0.0/8, and the
name servers those that the test has started.
"""

import io
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from tests.conftest import ROOT, QmailHome
from tests.operators.client import greeted
from tests.play import environment
from tests.servers import Service, free_port, running
from tools.frontline.main import main

SETS = ROOT / "examples/rulesets"
PREFIX = "/usr/local/frontline"
"""Where the shipped files have the programs."""
USERS = ("you", "postmaster", "quarantine", *(f"user{number}" for number in range(20)))
"""Who exists at example.org."""


def out_of_reach(rules: str) -> str:
    """The rules, with thresholds of the load a thousand times as high: what else this machine does is not the site's."""
    return re.sub(r"\bload > (\d+)", r"load > \g<1>000", rules)


class Site:
    """One machine.

    home   its control files, and what was queued
    parts  tcp.smtp.d: what programs have written, by name
    """

    def __init__(self, home: QmailHome, installation: Path, name: str, dns: int) -> None:
        """Installs a rule set.

        name  of its directory
        dns   the port of the name server
        """
        self.home = home
        self.installation = installation
        self.place = SETS / name
        self.parts: dict[str, str] = {}
        self.dns = f"127.0.0.1:{dns}"
        for path in (self.place / "control").iterdir():
            home.write(path.name, out_of_reach(path.read_text()).replace(PREFIX, str(installation)))
        # The holding queue and its runner have tests of their own: here we want to see what comes out of the session.
        (home.control / "qqnext").unlink(missing_ok=True)
        home.write("rcpthosts", "example.org")
        home.write("validrcptto", "\n".join(f"{user}@example.org" for user in USERS))
        (home.path / "frontline").mkdir(mode=0o700)

    def change(self, name: str, old: str, new: str) -> None:
        """Put something else into a control file, where waiting ten minutes would take ten minutes."""
        text = (self.home.control / name).read_text()
        old = out_of_reach(old)
        assert old in text
        self.home.write(name, text.replace(old, new))

    def build(self, rules: str = "tcp.smtp") -> Path:
        """tcp.smtp.cdb, as "make" in examples/tcp.smtp does it.

        rules  the file, from the directory of the set on
        """
        directory = self.home.path / Path(rules).parent / "tcp"
        (directory / "tcp.smtp.d").mkdir(parents=True, exist_ok=True)
        (directory / "tcp.smtp").write_text((self.place / rules).read_text().replace(PREFIX, str(self.installation)))
        for name, text in self.parts.items():
            (directory / "tcp.smtp.d" / name).write_text(text.replace(PREFIX, str(self.installation)))
        joined = directory / "tcp.smtp.joined"
        cdb = directory / "tcp.smtp.cdb"
        said = subprocess.run(
            [self.installation / "bin/tcpsmtp", "-o", joined, directory / "tcp.smtp", directory / "tcp.smtp.d"], check=True,
            capture_output=True, text=True)
        assert said.stderr == ""
        subprocess.run(["tcprules", cdb, f"{cdb}.tmp"], input=joined.read_bytes(), check=True)
        return cdb

    @contextmanager
    def server(self, *, rules: str = "tcp.smtp", address: str = "127.0.0.1", port: int = 0,
               settings: Mapping[str, str] | None = None) -> Iterator["Server"]:
        """tcpserver and qsmtpd under the shipped run script.

        settings  more for its environment
        """
        port = port or free_port()
        script = ROOT / "examples/run/qsmtpd/run"
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "QMAILHOME": str(self.home.path), "CONCURRENCY": "100",
            "FRONTLINE": str(self.installation), "ADDRESS": address, "LOOKUP": "-H", "PORT": str(port), "ONE_UID": "1",
            "RULES": str(self.build(rules)), "DNSCACHEIP": self.dns, **(settings or {})}
        log = self.home.path / f"log.{address}.{port}"
        with running([script], log, lambda: greeted(address, port), env=variables) as service:
            yield Server(address, port, service)

    def explain(self, *words: str) -> str:
        """What "frontline explain" prints."""
        code, said = self._frontline("explain", *words)
        assert code == 0
        return said

    def check(self) -> list[str]:
        """What "frontline check" finds wrong with rules and tags, without asking the DNS."""
        _, said = self._frontline("check", DNSTIMEOUT=b"0")
        files = tuple(f"{self.home.control}/{name}:" for name in ("rules", "tags"))
        return [line for line in said.split("\n") if line.startswith(files) and ": error: " in line]

    def _frontline(self, *words: str, **variables: bytes) -> tuple[int, str]:
        said = io.StringIO()
        variables |= {"QMAILHOME": bytes(self.home.path), "DNSCACHEIP": self.dns.encode()}
        with environment(variables), redirect_stdout(said):
            code = main(list(words))
        return code, said.getvalue()

    def queued(self) -> list[tuple[str, str]]:
        """The messages so far: text, envelope with "|" for NUL."""
        return [(message.decode(), envelope.decode().replace("\0", "|")) for message, envelope in self.home.messages()]


class Server:
    """Where a server listens, and what it has logged.

    path  of the log
    """

    def __init__(self, address: str, port: int, service: Service) -> None:
        self.address = address
        self.port = port
        self.place = (address, port)
        self.path = service.log
        self._service = service

    def log(self, event: str, words: str = "") -> list[str]:
        """The lines of an event so far, those that have the words."""
        return [line for line in self._service.output().split("\n") if line.startswith(f"{event} ") and words in line]
