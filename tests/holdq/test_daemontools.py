"""The shipped service directory under the real svscan, supervise and multilog."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.holdq.site import END, ROOT
from tests.holdq.test_uids import QMAILD, Server
from tests.servers import wait_until

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("accounts")]


class Services:
    """A directory under svscan with our service in it."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.place = directory / "holdq"

    def svc(self, option: str) -> None:
        subprocess.run(["svc", option, self.place], check=True)

    def stat(self) -> str:
        return subprocess.run(["svstat", self.place], check=True, capture_output=True, text=True).stdout

    def pid(self) -> int:
        words = self.stat().replace(")", "").split()
        return int(words[words.index("(pid") + 1]) if "(pid" in words else 0

    def log(self) -> str:
        path = self.place / "log/main/current"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def services(public_path: Path, installation: Path) -> Iterator[Services]:
    server = Server(public_path / "qmail", installation)
    assert server.holdq((), "init").returncode == 0
    directory = public_path / "service"
    shutil.copytree(ROOT / "examples/run/holdq", directory / "holdq")
    made = Services(server, directory)
    svscan = subprocess.Popen(["svscan", directory], start_new_session=True,
                              env=server.environment(FRONTLINE=str(installation)))
    try:
        wait_until(lambda: "start" in made.log())
        yield made
    finally:
        svscan.kill()
        svscan.wait()
        subprocess.run(["svc", "-dx", made.place, made.place / "log"], check=False)
        wait_until(lambda: subprocess.run(["svok", made.place], check=False).returncode != 0)
        wait_until(lambda: subprocess.run(["svok", made.place / "log"], check=False).returncode != 0)


def test_it_runs_as_holdq_with_the_groups_of_that_account(services: Services) -> None:
    status = Path(f"/proc/{services.pid()}/status").read_text()
    ids = {line.split()[0]: line.split()[1:] for line in status.split("\n") if line.startswith(("Uid:", "Gid:", "Groups:"))}
    wanted = subprocess.run(["id", "-G", "holdq"], check=True, capture_output=True, text=True).stdout.split()

    assert set(ids["Uid:"]) == {str(shutil.os.stat(services.server.spool).st_uid)}
    assert set(wanted) <= {*ids["Groups:"], ids["Gid:"][0]}


def test_mail_flows_and_the_log_is_multilogs(services: Services) -> None:
    assert services.server.queue(QMAILD).returncode == 0
    wait_until(lambda: len(services.server.mail()) == 1)
    wait_until(lambda: " release id=" in services.log())

    assert all(line.startswith("@4") for line in services.log().split("\n")[:-1])


def test_svc_t_finishes_the_message_in_hand_and_supervise_starts_it_again(services: Services) -> None:
    control = services.server.path / "control"
    slow = services.server.path / "slow"
    steps = services.server.path / "mail/steps"
    slow.write_text(f"#!/bin/sh\necho begun >>{steps}\nsleep 1\necho done >>{steps}\n")
    slow.chmod(0o755)
    (control / "holdqtarget").write_text(f"|{slow}\n")
    services.svc("-h")
    wait_until(lambda: "read again" in services.log())
    first = services.pid()
    services.server.queue(QMAILD)
    wait_until(steps.exists)
    services.svc("-t")
    wait_until(lambda: services.pid() not in (0, first))
    wait_until(lambda: services.log().count(" start ") == 2)

    assert steps.read_text() == "begun\ndone\n"
    assert " stop pid=" in services.log()


def test_svc_a_retries_now(services: Services) -> None:
    mail = services.server.path / "mail"
    mail.rename(mail.parent / "away")
    services.server.queue(QMAILD, b"Subject: later\n\n" + END)
    wait_until(lambda: " until=" in services.log())
    (mail.parent / "away").rename(mail)
    time.sleep(0.1)
    assert services.server.mail() == []
    services.svc("-a")
    wait_until(lambda: len(services.server.mail()) == 1)


def test_svc_k_loses_nothing(services: Services) -> None:
    """A139"""
    for number in range(20):
        assert services.server.queue(QMAILD, b"Subject: n%02d\n\n" % number + END).returncode == 0
        if number % 7 == 3:
            pid = services.pid()
            if pid:
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(services.server.mail()) == 20, 40)

    subjects = {text[text.index(b"Subject: n") + 10:][:2] for text in services.server.mail()}
    assert subjects == {b"%02d" % number for number in range(20)}
