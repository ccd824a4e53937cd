"""holdq run as a process: what it delivers, when, and how it obeys."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdq import layout
from holdq.heldfile import BusyError
from qsmtpd.qmail import logline
from tests.holdq.site import END, HOLDQ, HOLDQ_QUEUE, NOW, Site
from tests.servers import Service, wait_until


def lines(service: Service, event: str) -> list[dict[str, bytes]]:
    """The log's lines of a kind."""
    parsed = [logline.parse(line.encode()) for line in service.output().split("\n") if line]
    return [pairs for name, pairs in parsed if name == event]


def tried(site: Site, service: Service) -> bool:
    """A message has been tried in vain, and the attempt is over: its line comes a moment before that."""
    if not lines(service, "hold"):
        return False
    try:
        for each in site.store.held()[0]:
            with site.store.open(each):
                pass
    except (BusyError, FileNotFoundError):
        return False
    return True


def test_mail_is_delivered_at_once(site: Site) -> None:
    with site.runner() as service:
        for number in range(5):
            assert site.queue(b"Subject: %d\n\n" % number + END).returncode == 0
            wait_until(lambda wanted=number + 1: len(site.mail()) == wanted, 5)
        wait_until(lambda: site.left() == [])
        released = lines(service, "release")

    assert len(released) == 5
    text = site.mail()[0]
    assert b"Received: (holdq %b invoked by uid" % released[0]["hold"] in b"".join(site.mail())
    assert text.startswith(b"Return-Path: <a@b.c>\nDelivered-To: x@y.z\n")
    assert {pairs["why"] for pairs in released} == {b"new"}


def test_what_was_there_before_it_started(site: Site) -> None:
    site.put()
    site.hold()
    Path(site.spool.incoming, "part.6920a3c1-9f3c2a7b51d2e4f6").write_bytes(b"half a mess")
    with site.runner():
        wait_until(lambda: len(site.mail()) == 2 and site.left() == [])


def test_the_queue_target_logs_both_numbers(site: Site) -> None:
    (site.path / "queued").mkdir()
    program = site.path / "bin/qmail-queue"
    program.write_text(f"#!/bin/sh\ncat > {site.path}/queued/$$; cat <&1 >/dev/null; pwd > {site.path}/cwd\n")
    program.chmod(0o755)
    site.write("holdqtarget", "queue")
    site.queue()
    with site.runner() as service:
        wait_until(lambda: site.left() == [])
        pairs, = lines(service, "release")

    path, = (site.path / "queued").iterdir()
    assert pairs["qp"] == path.name.encode()
    assert path.read_bytes().startswith(b"Received: (holdq %b invoked by uid " % pairs["hold"])
    assert (site.path / "cwd").read_text().strip() == str(site.path), "a queue program stands in QMAILHOME"


def test_the_command_target(site: Site) -> None:
    site.write("holdqtarget", f"|/bin/cp /dev/stdin {site.path}/copy")
    site.queue()
    with site.runner():
        wait_until(lambda: site.left() == [])

    assert (site.path / "copy").read_bytes().endswith(END)


def test_the_gate_holds_and_a_person_lets_through(site: Site) -> None:
    site.queue()
    site.queue()
    with site.runner(HOLDQMEMORY="99999999") as service:
        wait_until(lambda: lines(service, "gate") != [])
        time.sleep(0.3)
        assert site.mail() == []
        held = site.store.held()[0]
        assert site.holdq("release", held[0].identity).returncode == 0
        wait_until(lambda: len(site.mail()) == 1)
        time.sleep(0.2)
        assert len(site.mail()) == 1
        gate, = lines(service, "gate")
        assert (gate["state"], gate["waiting"]) == (b"closed", b"2")
        assert [pairs["why"] for pairs in lines(service, "release")] == [b"hand"]


def test_alarm_retries_now(site: Site) -> None:
    shutil.rmtree(site.path / "all")
    site.queue()
    with site.runner() as service:
        wait_until(lambda: tried(site, service))
        held = lines(service, "hold")[0]
        assert int(held["until"]) > time.time() + 90
        assert b"No such file or directory" in held["why"]
        site.write_users()
        time.sleep(0.2)
        assert site.mail() == []
        os.kill(service.pid, signal.SIGALRM)
        wait_until(lambda: len(site.mail()) == 1 and site.left() == [])
        assert lines(service, "release")[0]["why"] == b"retry"


def test_hangup_reads_the_settings_again_and_a_bad_one_keeps_the_old(site: Site) -> None:
    with site.runner() as service:
        site.write("holdqtarget", "nonsense")
        os.kill(service.pid, signal.SIGHUP)
        wait_until(lambda: len(lines(service, "settings")) == 1)
        assert lines(service, "settings")[0]["why"].startswith(b"kept as they were: holdqtarget: expected maildir")
        site.queue()
        wait_until(lambda: len(site.mail()) == 1)

        site.write("holdqtarget", f"|/bin/cp /dev/stdin {site.path}/copy")
        os.kill(service.pid, signal.SIGHUP)
        wait_until(lambda: len(lines(service, "settings")) == 2)
        site.queue()
        wait_until((site.path / "copy").exists)


def test_term_finishes_the_message_in_hand(site: Site) -> None:
    program = site.path / "slow"
    program.write_text(f"#!/bin/sh\necho x >>{site.path}/begun\nsleep 1\necho x >>{site.path}/done\n")
    program.chmod(0o755)
    site.write("holdqtarget", f"|{program}")
    for _ in range(3):
        site.queue()
    with site.runner() as service:
        wait_until((site.path / "begun").exists)
        os.kill(service.pid, signal.SIGTERM)
        assert service.process.wait(10) == 0
        stopped, = lines(service, "stop")

    assert (site.path / "done").read_text() == (site.path / "begun").read_text() == "x\n"
    assert stopped["held"] == b"2"
    assert len(site.store.held()[0]) == 2
    assert not any(held.crashes for held in site.store.held()[0])


def test_what_is_planted_never_stops_it(site: Site) -> None:
    """A132"""
    with site.runner() as service:
        for number, name in enumerate(("6920a3c1-9f3c2a7b51d2e4f6", "odd\none", "6920a3c1-9f3c2a7b51d2e4f7")):
            path = Path(site.spool.incoming, name)
            if number == 0:
                path.symlink_to("/etc/passwd")
            elif number == 1:
                os.mkfifo(path)
            else:
                path.write_bytes(b"Subject: by hand\n\n")
        site.queue()
        wait_until(lambda: len(site.mail()) == 1 and os.listdir(site.spool.incoming) == [] == os.listdir(site.spool.hold))
        assert len(lines(service, "odd")) == 3
        assert len(os.listdir(site.spool.odd)) == 3


@pytest.fixture
def stuck(site: Site) -> Iterator[Site]:
    """201 names in incoming/, all before any message, that not even root can rename."""
    paths = [Path(site.spool.incoming, f"00000001-{number:016x}") for number in range(201)]
    paths.append(Path(site.spool.incoming, "odd"))
    for path in paths:
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", path], check=True)
    try:
        yield site
    finally:
        for path in paths:
            subprocess.run(["umount", path], check=True)


@pytest.mark.root
def test_what_cannot_be_put_aside_never_stops_it(stuck: Site) -> None:
    """A132: as directories of another user, which only he may rename."""
    stuck.queue()
    with stuck.runner() as service:
        wait_until(lambda: len(stuck.mail()) == 1)
        before = cpu(service.pid)
        time.sleep(1)
        assert cpu(service.pid) - before < 0.05
        stuck.queue()
        wait_until(lambda: len(stuck.mail()) == 2)
        assert len(lines(service, "odd")) == 202


def test_a_release_that_finds_no_room_in_the_trigger(site: Site) -> None:
    shutil.rmtree(site.path / "all")
    site.queue()
    with site.runner() as service:
        wait_until(lambda: tried(site, service))
        site.write_users()
        os.kill(service.pid, signal.SIGSTOP)
        for _ in range(66_000):
            layout.poke(site.spool)
        assert site.holdq("release", "--all").returncode == 0
        os.kill(service.pid, signal.SIGCONT)
        wait_until(lambda: len(site.mail()) == 1)


def test_a_release_whose_poke_is_lost_is_seen_when_the_old_name_is_gone(site: Site) -> None:
    shutil.rmtree(site.path / "all")
    site.queue()
    with site.runner() as service:
        wait_until(lambda: tried(site, service))
        site.write_users()
        waiting, = site.store.held()[0]
        with site.store.open(waiting):
            site.store.release(waiting)
        os.kill(service.pid, signal.SIGALRM)  # it looks for the old name
        wait_until(lambda: len(site.mail()) == 1)


def test_a_forgotten_lock_is_logged_once_and_does_not_keep_it_busy(site: Site) -> None:
    held = site.hold()
    with site.store.open(held), site.runner() as service:
        wait_until(lambda: lines(service, "fault") != [], 10)
        before = cpu(service.pid)
        time.sleep(1)
        assert cpu(service.pid) - before < 0.05
        pairs, = lines(service, "fault")
    assert (pairs["id"], pairs["why"]) == (held.identity.encode(), b"locked by another process")


def test_a_spool_that_cannot_be_read_is_logged_once_and_waited_for(site: Site) -> None:
    """A137: here by taking incoming/ away; it goes on by itself."""
    with site.runner() as service:
        os.rename(site.spool.incoming, f"{site.spool.directory}/away")
        for _ in range(3):
            os.close(os.open(site.spool.trigger, os.O_WRONLY | os.O_NONBLOCK))
            fd = os.open(site.spool.trigger, os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, b"n")
            os.close(fd)
            time.sleep(0.1)
        assert len(lines(service, "fault")) == 1
        os.rename(f"{site.spool.directory}/away", site.spool.incoming)
        site.queue()
        wait_until(lambda: len(site.mail()) == 1)


def test_it_sleeps_when_there_is_nothing_to_do(site: Site) -> None:
    with site.runner() as service:
        time.sleep(0.3)
        before = cpu(service.pid)
        time.sleep(1)
        assert cpu(service.pid) - before < 0.05


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_children_get_no_descriptor_of_ours(site: Site) -> None:
    """A143"""
    program = site.path / "fds"
    program.write_text(f"#!/bin/sh\nls /proc/self/fd > {site.path}/fds.txt\n")
    program.chmod(0o755)
    site.write("holdqtarget", f"|{program}")
    site.queue()
    with site.runner():
        wait_until(lambda: site.left() == [])

    assert set((site.path / "fds.txt").read_text().split()) == {"0", "1", "2", "3"}, "3 is that of ls itself"


def test_killed_again_and_again_while_mail_flows(site: Site) -> None:
    """A139: 60 messages from four writers, the runner is killed with SIGKILL eight times."""
    answers: dict[int, int] = {}

    def give(numbers: range) -> None:
        for number in numbers:
            answers[number] = site.queue(b"Subject: n%03d\n\n" % number + bytes(20_000) + END).returncode

    writers = [threading.Thread(target=give, args=(range(first, 60, 4),)) for first in range(4)]
    chance = random.Random(4711)
    with (site.path / "log").open("wb") as log:
        for writer in writers:
            writer.start()
        for _ in range(8):
            runner = subprocess.Popen([*HOLDQ, "run"], env=site.environment(), stderr=log)
            time.sleep(0.25 + chance.random() * 0.3)
            runner.kill()
            runner.wait()
        for writer in writers:
            writer.join()
    with site.runner():
        wait_until(lambda: [name for name in site.left() if name.startswith(("incoming", "hold"))] == [], 40)

    assert answers == dict.fromkeys(range(60), 0)
    delivered = site.mail()
    assert all(text.endswith(END) for text in delivered)
    assert {text[text.index(b"Subject: n") + 10:][:3] for text in delivered} == {b"%03d" % number for number in range(60)}
    assert len(delivered) == 60, "a second delivery takes the place of the first"
    assert site.left() == []


def test_writers_killed_while_mail_flows(site: Site) -> None:
    """A139: holdq-queue is killed with SIGKILL at any moment; whoever saw 0 has given the message away."""
    chance = random.Random(815)
    accepted = []
    with site.runner():
        for number in range(40):
            reader, writer = os.pipe()
            os.write(writer, b"Fa@b.c\0Tx@y.z\0\0")
            os.close(writer)
            with (site.path / "message").open("w+b") as message:
                message.write(b"Subject: n%03d\n\n" % number + END)
                message.seek(0)
                process = subprocess.Popen(
                    HOLDQ_QUEUE, stdin=message, stdout=reader, stderr=subprocess.DEVNULL, env=site.environment())
            os.close(reader)
            time.sleep(0.005 + chance.random() * 0.05)
            process.kill()
            if process.wait() == 0:
                accepted.append(b"%03d" % number)
        wait_until(lambda: [name for name in site.left() if "part." not in name] == [])
    site.recover()

    delivered = site.mail()
    assert all(text.endswith(END) for text in delivered)
    assert {text[text.index(b"Subject: n") + 10:][:3] for text in delivered} >= set(accepted)
    assert site.left() == []


@pytest.fixture
def tiny(site: Site) -> Iterator[Site]:
    """The spool on a disk of 1 MiB."""
    shutil.rmtree(site.spool.directory)
    os.mkdir(site.spool.directory)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", site.spool.directory], check=True)
    try:
        assert site.holdq("init", "--one-uid").returncode == 0
        yield site
    finally:
        subprocess.run(["umount", site.spool.directory], check=True)


@pytest.mark.root
def test_a_full_disk(tiny: Site) -> None:
    """A137: 53, nothing half stored, what is stored stays, and it goes on by itself when there is room."""
    codes = [tiny.queue(bytes(150_000) + b"\n" + END).returncode for _ in range(10)]
    assert set(codes) == {0, 53}
    stored = codes.count(0)
    assert [name for name in tiny.left() if "part." in name] == []
    filler = Path(tiny.spool.directory, "filler")
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    assert tiny.queue().returncode == 53

    tiny.write("holdqusers", "* /nonexistent")
    with tiny.runner() as service:
        wait_until(lambda: len(tiny.store.held()[0]) == stored and all(held.attempts for held in tiny.store.held()[0]))
        assert lines(service, "fault") != []
        assert tiny.store.buried()[0] == []
        filler.unlink()
        tiny.write_users()
        os.kill(service.pid, signal.SIGALRM)
        wait_until(lambda: len(tiny.mail()) == stored)
        assert tiny.queue().returncode == 0
        wait_until(lambda: len(tiny.mail()) == stored + 1)
    assert tiny.left() == []
    assert all(text.endswith(END) for text in tiny.mail())


def test_a_flood_does_not_keep_it_from_delivering(site: Site) -> None:
    """Five hundred messages wait in incoming/: TERM does not wait until all are taken over."""
    for _ in range(500):
        site.put()
    with site.runner() as service:
        wait_until(lambda: site.mail() != [])
        os.kill(service.pid, signal.SIGTERM)
        assert service.process.wait(10) == 0
    assert len(site.store.arrivals()[0]) > 0
    with site.runner():
        wait_until(lambda: len(site.mail()) == 500 and site.left() == [], 60)


def test_five_hundred_messages(site: Site) -> None:
    """The figure in docs/holdq.md comes from here: pytest -s -k five_hundred.  No sleep between messages."""
    for number in range(500):
        site.put(b"Subject: %d\n\n" % number + bytes(2000) + END, now=NOW)
    started = time.monotonic()
    with site.runner():
        wait_until(lambda: len(os.listdir(site.path / "all/new")) == 500, 60)
        seconds = time.monotonic() - started
    print(f"\n500 messages into a Maildir, from the start of the runner: {seconds:.2f} s, {500 / seconds:.0f} a second")

    assert site.left() == []
    assert seconds < 30
