"""A throw-away qmail server for validusers: control files, accounts with homes of their own, users/assign."""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tools.validusers.main import main

UID = os.getuid() or 65534
"""The owner of all homes: qmail-getpw passes over uid 0."""


class Site:
    """One server; run() runs validusers on it, addresses() is what an independent reader finds in the cdb."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.control = path / "control"
        self.users = path / "users"
        self.passwd = path / "passwd"
        self.cdb = self.control / "validrcptto.cdb"
        self._capfd = capfd
        for directory in (self.control, self.users):
            directory.mkdir(parents=True)
        self.passwd.touch()
        self.write("me", "here.test")
        self.write("rcpthosts", "here.test")
        self.alias = self.account("alias")
        monkeypatch.setenv("QMAILHOME", str(path))
        monkeypatch.delenv("CONTROLDIR", raising=False)

    def write(self, name: str, *lines: str) -> Path:
        """A control file."""
        path = self.control / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def account(self, name: str, *files: str, uid: int = UID) -> Path:
        """An account with a home directory, and in it empty files ".qmail" and what is named."""
        home = self.home(name, *files)
        with self.passwd.open("a") as passwd:
            passwd.write(f"{name}:x:{uid}:100::{home}:/bin/sh\n")
        return home

    def home(self, name: str, *files: str) -> Path:
        """A home directory alone."""
        home = self.path / "home" / name
        home.mkdir(parents=True)
        if not os.getuid():
            os.chown(home, UID, -1)
        dot_qmail(home, *files)
        return home

    def assign(self, *lines: str) -> None:
        """users/assign, and a users/cdb that is not older."""
        (self.users / "assign").write_text("".join(f"{line}\n" for line in [*lines, "."]))
        (self.users / "cdb").touch()

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._capfd.readouterr()
        code = main(["--passwd", str(self.passwd), *map(str, arguments)])
        out, err = self._capfd.readouterr()
        return code, out, err

    def build(self, *arguments: str | Path) -> set[str]:
        """Run, which must succeed without a word on stderr; returns the keys."""
        code, _, err = self.run(*arguments)
        assert (code, err) == (0, "")
        return self.addresses()

    def addresses(self) -> set[str]:
        return {key.decode() for key in dump(self.cdb)}


def dot_qmail(home: Path, *names: str, text: str = "") -> None:
    """Files .qmailNAME."""
    for name in names:
        (home / f".qmail{name}").write_text(text)


def dump(path: Path) -> list[bytes]:
    """The keys of a cdb as tinycdb reads it: each once, and no data."""
    text = subprocess.run(["cdb", "-d", path], check=True, capture_output=True).stdout
    records = re.findall(rb"\+(\d+),(\d+):(.*)->(.*)\n", text)
    keys = [key for _, _, key, _ in records]
    assert text.count(b"\n") == len(records) + 1
    assert all(data == b"" for _, _, _, data in records)
    assert len(keys) == len(set(keys))
    return keys


def write_list(path: Path, addresses: Iterable[str]) -> Path:
    """A plain list."""
    with path.open("w") as file:
        file.writelines(f"{address}\n" for address in addresses)
    return path
