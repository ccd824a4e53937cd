"""The throw-away site that all are measured in: a copy of the programs, control files, databases, a spool."""

import shutil
import subprocess
import sys
from pathlib import Path

import cdbx

ROOT = Path(__file__).parents[2]
VENV = Path(sys.prefix)
PACKAGES = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
PYTHON = Path(sys.executable).resolve()


class Site:
    """A throw-away QMAILHOME: bench.test is ours, good@bench.test and others exist, and there is a spool.

    place       where drain and replies have been built
    bin         a copy of our programs as make has installed them, with the interpreter beside them
    recipients  the 1,000 addresses that exist, for every server that can read a cdb
    """

    def __init__(self, place: Path, many: int) -> None:
        """Make it; control-many is the control directory with so many addresses, control the one with 1,000."""
        self.place = place
        place.chmod(0o755)  # Postfix becomes its own user
        self.bin = self._installation()
        self.home = place / "home"
        for name, addresses in (("control", 1000), ("control-many", many)):
            directory = self.home / name
            directory.mkdir(parents=True)
            (directory / "me").write_text("mx.bench.test\n")
            (directory / "rcpthosts").write_text("bench.test\n")
            write_addresses(directory / "validrcptto.cdb", addresses)
        self.recipients = self.home / "control/validrcptto.cdb"
        self.message = place / "message"
        self.message.write_bytes(b"Subject: bench\n\n" + b"x" * 63 + b"\n" + (b"y" * 63 + b"\n") * 31)
        self.envelope = place / "envelope"
        self.envelope.write_bytes(b"Fsender@client.test\0Tgood@bench.test\0\0")
        (place / "service").mkdir(mode=0o700)
        self.service = place / "service/socket"
        subprocess.run([self.bin / "holdq", "init", "--one-uid"], env=self.environment(), check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(self.home / "control", self.home / "control-rules")
        shutil.copy(ROOT / "examples/rules", self.home / "control-rules")
        self._launcher()

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """What tcpserver would be started with, which hands it on."""
        return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.home), "BRTLIMIT": "0", "QMAILQUEUE": str(self.place / "drain"),
                "QQNEXT": str(self.place / "drain"), "QSMTPD_SERVICE": str(self.service), **(more or {})}

    def _installation(self) -> Path:
        """Copied, so that nobody who runs make meanwhile takes it away from a session."""
        place = self.place / "bin"
        place.mkdir()
        shutil.copy(VENV / "pyvenv.cfg", self.place)
        (place / "python3").symlink_to(PYTHON)
        for name in ("qsmtpd", "qqshim", "holdq", "tools", "cdbx", "psutil", "uvloop"):
            shutil.copytree(VENV / PACKAGES / name, self.place / PACKAGES / name)
        for name in ("qsmtpd-listen", "holdq"):
            _, _, rest = (VENV / "bin" / name).read_text().partition("\n")
            (place / name).write_text(f"#!{place}/python3\n{rest}")
            (place / name).chmod(0o755)
        for name in ("handoff", "handoff-qqshim"):
            shutil.copy(VENV / "bin" / name, place)
        launchers = sorted(ROOT.glob("*/launch/*"))
        subprocess.run([place / "python3", "-IS", ROOT / "tools/pack.py", self.place, *launchers], check=True)
        return place

    def _launcher(self) -> None:
        """A launcher as pip alone installs it, with drain in the interpreter's place: the shell's part of a start."""
        (self.place / "launch").mkdir()
        shutil.copy(ROOT / "qsmtpd/launch/qsmtpd", self.place / "launch")
        (self.place / "launch/python3").symlink_to(self.place / "drain")


def write_addresses(path: Path, count: int, value: bytes = b"") -> None:
    """Write a validrcptto.cdb: good@bench.test, and count - 1 others."""
    with path.open("wb") as file:
        maker = cdbx.CDB.make(file)
        maker.add(b"good@bench.test", value)
        for number in range(1, count):
            maker.add(b"user%07d@bench.test" % number, value)
        maker.commit()
