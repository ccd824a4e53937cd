"""The commands as a person types them: what is printed, and the exit codes 100 (mistake) and 111 (trouble)."""

import os
import pty
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from holdq.heldfile import FAILED, HeldFile
from tests.holdq.site import END, HOLDQ, HOLDQ_QUEUE, Site
from tests.servers import running, wait_until

COMMANDS = ("init", "run", "list", "show", "release", "remove", "stat")


def test_help_names_every_command_with_examples(site: Site) -> None:
    text = site.holdq("--help").stdout

    assert [name for name in COMMANDS if f"    {name} " not in text] == []
    assert "examples:\n  holdq init --one-uid" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(site: Site, name: str) -> None:
    done = site.holdq(name, "--help")

    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: holdq {name}")


@pytest.mark.parametrize(("arguments", "words"), [
    ((), "COMMAND"), (("lst",), "invalid choice"), (("show",), "ID"), (("show", "abc"), "at least six characters"),
    (("show", "6920a3c1-9f3c2a7b51d2e4f6"), "no such message"), (("remove", "nonesuch"), "no such message"),
    (("release",), "Name an ID, --all"),
])
def test_a_mistake_is_one_line_and_100(site: Site, arguments: tuple[str, ...], words: str) -> None:
    done = site.holdq(*arguments)

    assert done.returncode == 100
    assert done.stdout == ""
    assert done.stderr.startswith("holdq")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["list", "stat", "run"])
def test_no_spool(site: Site, command: str) -> None:
    done = site.holdq(command, HOLDQ="/nonexistent")

    assert done.returncode == 100
    assert "/nonexistent" in done.stderr
    assert "holdq init" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unreadable_setting_is_trouble(site: Site) -> None:
    (site.control / "holdq").mkdir()
    done = site.holdq("list")

    assert (done.returncode, done.stdout) == (111, "")
    assert "control/holdq: Is a directory" in done.stderr


def test_init(site: Site) -> None:
    done = site.holdq("init", "--one-uid", HOLDQ=str(site.path / "other"))

    assert done.returncode == 0
    assert done.stdout == f"{site.path}/other: ready, uid {os.getuid()}, gid {os.getgid()}\n"
    assert site.holdq("list", HOLDQ=str(site.path / "other")).stdout == ""


def test_list(site: Site) -> None:
    identity = site.put(now=1)
    done = site.holdq("list")

    assert done.returncode == 0
    assert done.stdout.split("\n")[1].startswith(f"{identity}  new ")


def test_a_reader_who_has_enough_is_no_trouble(site: Site) -> None:
    for _ in range(50):
        site.put()
    done = subprocess.run(f"'{HOLDQ[0]}' -c '{HOLDQ[2].replace(chr(39), chr(34))}' list | head -1", shell=True, check=False,
                          env=site.environment(), capture_output=True, text=True)

    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_show_is_raw_into_a_pipe(site: Site) -> None:
    identity = site.put(b"Subject: \xe4\x1b[2J\n\nsecret body\n")
    done = subprocess.run([*HOLDQ, "show", identity[-8:]], env=site.environment(), capture_output=True, check=False)

    assert done.returncode == 0
    state, _, header = done.stdout.partition(b"\n\n")
    assert state.startswith(b"id          %b\nstate       new" % identity.encode())
    assert header.endswith(b"\nSubject: \xe4\x1b[2J\n")


def test_show_is_escaped_on_a_terminal(site: Site) -> None:
    """A43"""
    identity = site.put(b"Subject: \xe4\x1b[2J\n\nbody\n")
    ours, theirs = pty.openpty()
    subprocess.run([*HOLDQ, "show", identity], env=site.environment(), stdout=theirs, check=True)
    os.close(theirs)
    text = os.read(ours, 65536)
    os.close(ours)

    assert b"\x1b" not in text
    assert rb"Subject: \xe4\x1b[2J" in text


def test_show_whole_is_the_message(site: Site) -> None:
    body = os.urandom(300_000)
    identity = site.put(body)
    done = subprocess.run([*HOLDQ, "show", "--whole", identity], env=site.environment(), capture_output=True, check=False)

    assert done.stdout.startswith(b"Received: (holdq 77 ")
    assert done.stdout.endswith(b"-0000\n" + body)


@pytest.mark.parametrize("command", [("list",), ("show", "--whole"), ("show",)])
def test_a_full_disk_at_standard_output(site: Site, command: tuple[str, ...]) -> None:
    """A137: "show --whole ID > message && remove ID" must end with the first."""
    identity = site.put(bytes(300_000))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*HOLDQ, *command, *([identity] if "show" in command else [])], env=site.environment(),
                              stdout=full, stderr=subprocess.PIPE, check=False)

    assert (done.returncode, done.stderr) == (111, b"holdq: standard output: No space left on device\n")


def test_init_without_a_parent_directory(site: Site) -> None:
    done = site.holdq("init", "--one-uid", HOLDQ="/nonexistent/holdq")

    assert (done.returncode, done.stderr) == (
        100, "holdq: /nonexistent: no such directory: make the parent directory first\n")


def test_release_everything_held(site: Site) -> None:
    new = site.put()
    waits = site.store.postpone(site.store.begin(site.hold()), 10**10)
    dead = site.store.bury(site.hold())
    done = site.holdq("release", "--all")

    assert done.returncode == 0
    assert sorted(done.stdout.split()) == sorted([new, "released", waits.identity, "released"])
    assert {held.identity: held.released for held in site.store.held()[0]} == {new: True, waits.identity: True}
    assert site.store.buried()[0] == [dead]


def test_release_the_dead(site: Site) -> None:
    held = site.hold(END, b"a@b.c", b"one", b"two")
    with site.store.open(held) as file:
        file.mark([recipient.offset for recipient in file.recipients()], FAILED)
    dead = site.store.bury(held)
    assert site.holdq("release", dead.identity[:12]).returncode == 0

    (alive,), _ = site.store.held()
    assert alive.released
    with site.store.open(alive) as file:
        assert {recipient.mark for recipient in file.recipients()} == {b"T"}


def test_remove(site: Site) -> None:
    new, held, dead = site.put(), site.hold(), site.store.bury(site.hold())
    for identity in (held.identity, dead.identity):
        site.store.tell_why(identity, "why")
    done = site.holdq("remove", new, held.identity, dead.identity)

    assert done.returncode == 0
    assert done.stdout == "".join(f"{identity} removed\n" for identity in (new, held.identity, dead.identity))
    assert site.left() == []


@pytest.mark.parametrize("command", ["remove", "release"])
def test_a_message_in_delivery_is_left_alone(site: Site, command: str) -> None:
    """A144: nothing is torn away from a delivery; the others are served."""
    held, other = site.store.begin(site.hold()), site.hold()
    with HeldFile(site.store.path(held), lock=True):
        done = site.holdq(command, held.identity, other.identity)

    assert done.returncode == 111
    assert f"{held.identity}: being delivered just now" in done.stderr
    assert done.stdout.startswith(other.identity)
    assert Path(site.store.path(held)).exists()


def test_a_message_that_is_locked_without_an_attempt_is_not_said_to_be_delivered(site: Site) -> None:
    held = site.hold()
    with HeldFile(site.store.path(held), lock=True):
        done = site.holdq("remove", held.identity)

    assert (done.returncode, done.stderr) == (
        111, f"holdq: {held.identity}: locked by another process: try again when it has ended\n")


def test_stat(site: Site) -> None:
    site.put()
    done = site.holdq("stat", HOLDQMEMORY="99999999")

    assert done.returncode == 0
    assert "new            1 messages" in done.stdout
    assert "gate    closed: " in done.stdout
    assert "are wanted (load " in done.stdout


def test_two_runners(site: Site) -> None:
    """A142"""
    with site.runner():
        done = site.holdq("run")

    assert done.returncode == 111
    assert done.stderr == f"holdq: {site.spool.lock}: another runner is at work\n"


def test_a_spool_that_is_open_to_others(site: Site) -> None:
    """A133"""
    os.chmod(site.spool.incoming, 0o777)
    done = site.holdq("run")

    assert done.returncode == 100
    assert done.stderr == f"holdq: {site.spool.incoming}: mode 777 lets others in: chmod 2770 {site.spool.incoming}\n"


@pytest.mark.parametrize(("name", "text", "words"), [
    ("holdqtarget", "mailbox", "expected maildir, queue or |PROGRAM, found mailbox"),
    ("holdqtarget", "|", "the path of a program"), ("holdqtarget", "|deliver", "the path of a program"),
    ("holdqload", "-1", "expected a number"), ("holdqtimeout", "1e9", "expected a number"),
])
def test_a_setting_that_makes_no_sense(site: Site, name: str, text: str, words: str) -> None:
    """A59"""
    site.write(name, text)
    environment = site.environment()
    del environment["HOLDQLOAD"]
    done = subprocess.run([*HOLDQ, "run"], env=environment, capture_output=True, text=True, check=False, timeout=20)

    assert done.returncode == 111
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_mail_does_not_go_round(site: Site) -> None:
    site.write("holdqtarget", "queue")
    (site.path / "bin/holdq-queue").write_text("")
    (site.path / "bin/qmail-queue").symlink_to("holdq-queue")
    done = site.holdq("run")

    assert done.returncode == 111
    assert "all mail would go round for ever" in done.stderr


def test_mail_does_not_go_round_through_another_program(site: Site) -> None:
    program = site.path / "bin/shim"
    program.write_text(f"#!/bin/sh\nexec {shlex.join(HOLDQ_QUEUE)}\n")
    program.chmod(0o755)
    site.write("holdqtarget", "queue")
    site.write("holdqnext", str(program))
    site.queue()
    with site.runner():
        wait_until(lambda: [held for held in site.store.held()[0] if held.attempts and not held.crashes] != [])

    assert len(site.left()) == 2, "the message and its reason"


def test_a_relative_home(site: Site) -> None:
    """The runner leaves the directory in which it was started."""
    log = site.path / "log"
    environment = site.environment(QMAILHOME="site", HOLDQ=site.spool.directory)
    log.write_text("")
    os.chmod(site.path.parent, 0o755)
    with running([*HOLDQ, "run"], log, lambda: "start" in log.read_text(), env=environment, cwd=site.path.parent) as service:
        site.queue()
        wait_until(lambda: len(site.mail()) == 1)
        os.kill(service.pid, signal.SIGHUP)
        wait_until(lambda: "read again" in log.read_text())
        assert ("root" in log.read_text()) == (os.geteuid() == 0), "A133: said, not refused"
