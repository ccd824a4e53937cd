"""The whole chain: nothing that was answered with 250 is lost, whatever is killed and whatever is full."""

import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.chain import Chain, killer, one_user, started
from tests.conftest import QmailHome
from tests.servers import wait_until

END = "this is the last line of it"
SEED = 20261121


def text(number: int) -> str:
    return f"Subject: number {number}\r\n\r\n" + f"line of {number}\r\n" * (1 + number * 7 % 500) + f"{END}\r\n"


def numbers(messages: list[str]) -> list[int]:
    """Which messages these are; each must be whole."""
    found = []
    for message in messages:
        subject = next(line for line in message.split("\n") if line.startswith("Subject: number "))
        number = int(subject.split()[-1])
        assert message.count(f"line of {number}\n") == 1 + number * 7 % 500
        assert message.endswith(f"{END}\n")
        found.append(number)
    return found


@pytest.fixture(params=[pytest.param("qmail's users", marks=pytest.mark.root), "one user"])
def user(request: pytest.FixtureRequest) -> str | None:
    """None: each part under its own uid, as on a server of qmail; else the one user of all."""
    if request.param == "one user":
        return one_user()
    return None


EVERYTHING = ("tcpserver", "qsmtpd", "qqshim", "holdq-queue", "holdq", "multilog")


def storm(chain: Chain, messages: int, clients: int) -> None:
    """Send messages while a process is killed every few milliseconds; all that were answered with 250 are delivered, whole."""
    promised: set[int] = set()
    deadline = time.monotonic() + 60 + messages / 2

    def client(first: int) -> None:
        for number in range(first, messages, clients):
            while chain.send(text(number)) != 250:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)
            promised.add(number)

    with killer(chain, SEED, *EVERYTHING) as killed:
        sending = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
        for each in sending:
            each.start()
        for each in sending:
            each.join()
    assert promised == set(range(messages))
    assert len(killed) > messages // 20
    wait_until(lambda: set(numbers(chain.delivered())) >= promised, 60, "delivery of all that was promised")


@pytest.mark.timeout(300)
def test_kill_any_process_at_any_moment(
        installation: Path, qmail_home: QmailHome, accounts: None, user: str | None) -> None:
    """A139, A140: 200 messages."""
    with started(qmail_home, installation, user) as chain:
        storm(chain, 200, 4)


@pytest.mark.soak
def test_kill_any_process_for_long(installation: Path, qmail_home: QmailHome, accounts: None, user: str | None) -> None:
    """A139, A140: 3,000 messages, and nothing is left over."""
    with started(qmail_home, installation, user) as chain:
        storm(chain, 3000, 8)
        # What a writer has left who was killed after the last runner was is swept by the next, or within ten minutes.
        subprocess.run(["svc", "-t", chain.services / "holdq"], check=True)
        wait_until(lambda: not any((chain.spool / "incoming").iterdir()), 60, "an empty incoming/")
        wait_until(lambda: not any((chain.spool / "hold").iterdir()), 120, "an empty hold/")

        assert not any((chain.spool / "dead").iterdir())
        assert not any((chain.spool / "odd").iterdir())


def test_mail_is_held_while_the_runner_is_down(
        installation: Path, qmail_home: QmailHome, accounts: None, user: str | None) -> None:
    with started(qmail_home, installation, user) as chain:
        subprocess.run(["svc", "-d", chain.services / "holdq"], check=True)
        wait_until(lambda: not chain.pids("holdq"), what="end of the runner")

        assert [chain.send(text(number)) for number in range(5)] == [250] * 5
        assert chain.delivered() == []

        subprocess.run(["svc", "-u", chain.services / "holdq"], check=True)
        wait_until(lambda: len(chain.delivered()) == 5, what="delivery")
        wait_until(lambda: "verdict=quit" in chain.log("qsmtpd"), what="the log of qsmtpd")
        wait_until(lambda: chain.log("holdq").count("release ") >= 5, what="the log of holdq")

    assert sorted(numbers(chain.delivered())) == [0, 1, 2, 3, 4]


@pytest.mark.root
def test_a_full_disk_is_a_temporary_failure(installation: Path, qmail_home: QmailHome, accounts: None) -> None:
    """A137: the spool has no room: 451, nothing that is there is lost, and it recovers by itself."""
    with started(qmail_home, installation, None) as chain:
        subprocess.run(["svc", "-d", chain.services / "holdq"], check=True)
        wait_until(lambda: not chain.pids("holdq"), what="end of the runner")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k,mode=755", "none", chain.spool], check=True)
        try:
            bin_directory = installation / "bin"
            shutil.chown(chain.spool, "holdq", "holdq")
            subprocess.run([bin_directory / "holdq", "init"], env=chain.environment(), check=True, capture_output=True)
            large = "Subject: number 1\r\n\r\n" + "line of 1\r\n" * 8 + "x" * 80 * 900 + f"\r\n{END}\r\n"

            codes = [chain.send(large) for _ in range(12)]
            taken = codes.count(250)

            assert 0 < taken < 12
            assert set(codes) == {250, 451}
            assert len([path for path in (chain.spool / "incoming").iterdir() if not path.name.startswith("part.")]) == taken
            subprocess.run(["svc", "-u", chain.services / "holdq"], check=True)
            wait_until(lambda: len(chain.delivered()) == taken, what="delivery of what was taken")
            assert chain.send(large) == 250
            wait_until(lambda: len(chain.delivered()) == taken + 1, what="delivery after there is room again")
        finally:
            subprocess.run(["svc", "-d", chain.services / "holdq"], check=True)
            wait_until(lambda: not chain.pids("holdq"), what="end of the runner")
            subprocess.run(["umount", chain.spool], check=True)

    assert all(message.endswith(f"{END}\n") for message in chain.delivered())


def test_who_wrote_what(installation: Path, qmail_home: QmailHome, accounts: None) -> None:
    """The trace of a message through the chain: our Received field, the verdict, the hold, and who owns it."""
    with started(qmail_home, installation, one_user()) as chain:
        assert chain.send("Subject: trace\r\n\r\nx\r\n") == 250
        wait_until(lambda: len(chain.delivered()) == 1, what="delivery")
        log = chain.log("qsmtpd")

    message = chain.delivered()[0]
    names = [line.partition(":")[0] for line in message.partition("\n\n")[0].split("\n") if line[:1] not in (" ", "\t")]
    assert names == ["Return-Path", "Delivered-To", "Received", "X-Frontline-Verdict", "Received", "Subject"]
    for event in ("rcpt ", "message ", "hold ", "session "):
        assert f" {event}" in log, log
