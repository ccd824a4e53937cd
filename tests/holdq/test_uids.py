"""The real users of a qmail server: who writes what, and who has to knock.  Every row of the table is a test."""

import os
import pwd
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qsmtpd.qmail import logline
from tests.holdq.site import END, run_queue
from tests.servers import Service, running, wait_until

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("accounts")]

QMAILD = ("setpriv", "--reuid=qmaild", "--regid=holdq", "--clear-groups")
"""As tcpserver -u qmaild -g holdq: one group only."""
HOLDQ = ("setpriv", "--reuid=holdq", "--regid=holdq", "--init-groups")
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


class Server:
    """A QMAILHOME with a spool of holdq:holdq, reachable for everybody; Maildirs of the user holdq."""

    def __init__(self, path: Path, programs: Path) -> None:
        self.path = path
        self.spool = path / "holdq"
        self.programs = programs
        (path / "control").mkdir(parents=True)
        for part in ("tmp", "new", "cur"):
            (path / "mail" / part).mkdir(parents=True)
        subprocess.run(["chown", "-R", "holdq:holdq", path / "mail"], check=True)
        (path / "control/holdqusers").write_text(f"* {path}/mail\n")

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.path), "HOLDQLOAD": "9999", **more}

    def queue(self, who: tuple[str, ...], body: bytes = END, **more: str) -> subprocess.CompletedProcess[bytes]:
        return run_queue([*who, self.programs / "bin/holdq-queue"], self.path, body, b"Fa@b.c\0Tx@y.z\0\0",
                         self.environment(**more))

    def holdq(self, who: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*who, self.programs / "bin/holdq", *arguments], env=self.environment(), capture_output=True,
                              text=True, check=False, timeout=30)

    @contextmanager
    def runner(self) -> Iterator[Service]:
        log = self.path / "log"
        log.write_text("")
        with running([*HOLDQ, self.programs / "bin/holdq", "run"], log, lambda: "start" in log.read_text(),
                     env=self.environment()) as service:
            yield service

    def mail(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.path / "mail/new").iterdir()]


@pytest.fixture
def server(public_path: Path, installation: Path) -> Server:
    made = Server(public_path / "qmail", installation)
    done = made.holdq((), "init")
    assert done.returncode == 0, done.stderr
    return made


def test_init_by_root_gives_it_to_holdq(server: Server) -> None:
    holdq = pwd.getpwnam("holdq")
    status = (server.spool / "incoming").stat()

    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (holdq.pw_uid, holdq.pw_gid, 0o2770)
    assert {path.stat().st_uid for path in server.spool.iterdir()} == {holdq.pw_uid}


def test_qmaild_writes_incoming_and_the_runner_delivers(server: Server) -> None:
    """qsmtpd, qqshim and holdq-queue under them: qmaild:holdq."""
    assert server.queue(QMAILD).returncode == 0
    path, = (server.spool / "incoming").iterdir()
    assert path.stat().st_uid == pwd.getpwnam("qmaild").pw_uid
    assert path.stat().st_gid == pwd.getpwnam("holdq").pw_gid

    with server.runner():
        wait_until(lambda: len(server.mail()) == 1 and os.listdir(server.spool / "hold") == [])
        assert server.queue(QMAILD).returncode == 0, "and the poke reaches the runner"
        wait_until(lambda: len(server.mail()) == 2, 5)
    assert all(b"\nReceived: (holdq " in text and b" invoked from network); " in text for text in server.mail())
    assert {path.stat().st_uid for path in (server.path / "mail/new").iterdir()} == {pwd.getpwnam("holdq").pw_uid}


def test_anybody_else_goes_through_the_door(server: Server) -> None:
    uid = pwd.getpwnam("nobody").pw_uid
    with server.runner() as service:
        done = server.queue(NOBODY)
        assert (done.returncode, done.stderr) == (0, b"")
        wait_until(lambda: len(server.mail()) == 1)
        held = [pairs for event, pairs in (logline.parse(line.encode()) for line in service.output().split("\n") if line)
                if event == "hold"]

    assert b" invoked by uid %d); " % uid in server.mail()[0]
    assert held[0]["uid"] == b"%d" % uid
    assert b"Received: (holdq %b invoked" % held[0]["hold"] in server.mail()[0]


def test_anybody_else_without_a_runner_is_74(server: Server) -> None:
    done = server.queue(NOBODY)

    assert done.returncode == 74
    assert b"fault" in done.stderr
    assert os.listdir(server.spool / "incoming") == []


@pytest.mark.parametrize("who", [NOBODY, QMAILD])
def test_others_see_and_change_nothing(server: Server, who: tuple[str, ...]) -> None:
    """Nor does qmaild once the runner has a message."""
    server.queue(QMAILD)
    (server.path / "control/holdqusers").unlink()
    with server.runner():
        wait_until(lambda: os.listdir(server.spool / "hold") != [])
        for directory in ("hold", "dead", "why", "odd"):
            assert subprocess.run([*who, "ls", server.spool / directory], capture_output=True, check=False).returncode
        done = server.holdq(who, "list")
    assert done.returncode == 100
    assert "permission denied: run me as root, or as the user who owns the spool" in done.stderr
    assert done.stderr.count("\n") == 1


def test_root_may_give_mail_too_and_use_every_command(server: Server) -> None:
    assert server.queue(()).returncode == 0
    assert server.queue(QMAILD).returncode == 0
    (server.path / "control/holdqusers").unlink()
    with server.runner():
        wait_until(lambda: len(os.listdir(server.spool / "why")) == 2)
        lines = server.holdq((), "list").stdout.split("\n")
        assert len(lines) == 4
        assert "No such file or directory" in lines[1]
        (server.path / "control/holdqusers").write_text(f"* {server.path}/mail\n")
        assert server.holdq((), "release", lines[1].split()[0]).returncode == 0
        wait_until(lambda: len(server.mail()) == 1)
        assert server.holdq((), "remove", lines[2].split()[0]).returncode == 0
    assert b" invoked by uid 0); " in server.mail()[0] or b" from network" in server.mail()[0]
    assert os.listdir(server.spool / "hold") == []


def test_the_runner_is_not_run_by_another(server: Server) -> None:
    """A133: root neither, whose files holdq could not touch."""
    for who in ((), QMAILD):
        done = server.holdq(who, "run")
        assert done.returncode == 100
        assert "run me as that user" in done.stderr


def test_what_qmaild_plants_is_not_delivered(server: Server) -> None:
    """A132: a link to a file that only holdq can read, and a file of another owner."""
    secret = server.path / "secret"
    secret.write_text("secret\n")
    subprocess.run(["chown", "holdq:holdq", secret], check=True)
    secret.chmod(0o600)
    incoming = server.spool / "incoming"
    subprocess.run([*QMAILD, "ln", "-s", secret, incoming / "6920a3c1-9f3c2a7b51d2e4f6"], check=True)
    assert server.queue(QMAILD).returncode == 0
    path, = (path for path in incoming.iterdir() if not path.is_symlink())
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    with server.runner() as service:
        wait_until(lambda: service.output().count("\nodd file=") == 2)
        assert len(os.listdir(server.spool / "odd")) == 2
    assert server.mail() == []


def test_the_spool_on_a_full_disk_through_the_door(server: Server) -> None:
    """A137: 53 there as well."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "none", server.spool], check=True)
    try:
        assert server.holdq((), "init").returncode == 0
        with server.runner():
            assert server.queue(NOBODY, bytes(400_000)).returncode == 53
            assert os.listdir(server.spool / "incoming") == []
            assert server.queue(NOBODY).returncode == 0
            wait_until(lambda: len(server.mail()) == 1)
    finally:
        time.sleep(0.05)
        subprocess.run(["umount", server.spool], check=True)
