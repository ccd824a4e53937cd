"""holdq-queue as a program: what its caller sees."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from holdq.heldfile import HeldFile
from qsmtpd.qmail import logline
from tests.holdq.site import END, HOLDQ_QUEUE, QUEUE_CODE, Site
from tests.servers import wait_until


def test_a_message_is_held(site: Site) -> None:
    before = int(time.time())
    done = site.queue(b"Subject: x\n\n" + END, b"Fa@b.c\0Tx@y.z\0Tq@y.z\0\0")

    assert done.returncode == 0
    identity, = site.store.arrivals()[0]
    with HeldFile(f"{site.spool.incoming}/{identity}", lock=False) as file:
        text = b"".join(file.body())
        assert file.trailer.uid == os.getuid()
        assert before <= file.trailer.arrival <= time.time()
        assert re.fullmatch(rb"Received: \(holdq %d invoked by uid %d\); \d+ \w+ \d+ \d\d:\d\d:\d\d -0000\n"
                            rb"Subject: x\n\nthe end\n" % (file.trailer.pid, os.getuid()), text)
    event, pairs = logline.parse(done.stderr)
    assert event == "hold"
    assert pairs["id"] == identity.encode()
    assert (pairs["from"], pairs["to"], pairs["rcpts"]) == (b"a@b.c", b"x@y.z", b"2")
    assert int(pairs["hold"]) == file.trailer.pid


@pytest.mark.parametrize(("envelope", "code"), [(b"Fa@b.c\0Tx@y.z\0", 54), (b"", 54), (b"Fa@b.c\0\0", 91), (b"Q\0", 91),
                                                (b"F\0T" + b"x" * 1003 + b"\0\0", 11)])
def test_a_broken_envelope(site: Site, envelope: bytes, code: int) -> None:
    """A52"""
    assert site.queue(END, envelope).returncode == code
    assert site.left() == []


def test_an_empty_message_and_the_null_sender(site: Site) -> None:
    assert site.queue(b"", b"F\0Tx@y.z\0\0").returncode == 0


def test_a_million_recipients_and_a_large_message_in_flat_memory(site: Site) -> None:
    """A52: 40 MB of message, 10^6 recipients, within the 40 MB that softlimit gives."""
    envelope = b"Fa@b.c\0" + b"".join(b"Tu%d@y.z\0" % number for number in range(1_000_000)) + b"\0"
    place = site.path / "envelope"
    place.write_bytes(envelope)
    with place.open("rb") as one, subprocess.Popen(
            ["softlimit", "-m", "40000000", *HOLDQ_QUEUE], stdin=subprocess.PIPE, stdout=one,
            env=site.environment()) as process:
        assert process.stdin
        for _ in range(640):
            process.stdin.write(b"x" * 65536)
        process.stdin.close()
        assert process.wait() == 0

    identity, = site.store.arrivals()[0]
    assert Path(site.spool.incoming, identity).stat().st_size > 40 << 20


def test_it_does_not_wait_for_the_end_of_the_envelope_pipe(site: Site) -> None:
    """The final NUL is the end, whoever else holds the pipe."""
    reader, writer = os.pipe()
    os.write(writer, b"Fa@b.c\0Tx@y.z\0\0")
    done = subprocess.run(HOLDQ_QUEUE, input=END, stdout=reader, env=site.environment(), check=False, timeout=20)
    os.close(reader)
    os.close(writer)

    assert done.returncode == 0


def test_unreadable_control_is_55(site: Site) -> None:
    (site.control / "holdq").mkdir()

    done = site.queue()
    assert done.returncode == 55
    assert b"control/holdq" in done.stderr


def test_the_runner_of_this_spool_does_not_give_it_its_own_mail(site: Site) -> None:
    done = site.queue(HOLDQ_RUNNING=f"{site.path}/bin/../holdq")

    assert done.returncode == 55
    event, pairs = logline.parse(done.stderr)
    assert (event, pairs["code"]) == ("fault", b"55")
    assert b"go round for ever" in pairs["why"]
    assert site.left() == []
    assert site.queue(HOLDQ_RUNNING=f"{site.path}/other").returncode == 0


@pytest.mark.parametrize("where", ["/nonexistent/spool", "/dev/null"])
def test_no_spool_and_no_runner_is_74(site: Site, where: str) -> None:
    done = site.queue(HOLDQ=where)

    assert done.returncode == 74
    event, pairs = logline.parse(done.stderr)
    assert (event, pairs["code"]) == ("fault", b"74")


@pytest.mark.parametrize(("error_fd", "lines"), [("2", 0), ("6", 1)])
def test_no_word_where_the_caller_reads_the_reply(site: Site, error_fd: str, lines: int) -> None:
    assert site.queue(ERROR_FD=error_fd).stderr.count(b"\n") == lines
    assert site.queue(envelope_=b"", ERROR_FD=error_fd).stderr.count(b"\n") == lines


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_descriptors(site: Site, closed: str) -> None:
    """A55: what we open never becomes somebody's descriptor 0, 1 or 2."""
    place = site.path / "envelope"
    place.write_bytes(b"Fa@b.c\0Tx@y.z\0\0")
    with place.open("rb") as one:
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *HOLDQ_QUEUE], stdin=subprocess.DEVNULL, stdout=one,
            env=site.environment(), check=False, timeout=20)

    assert done.returncode == (0 if closed == "2>&-" else 54)


def test_a_full_log_does_not_stop_mail(site: Site) -> None:
    """A137: descriptor 2 is /dev/full."""
    place = site.path / "envelope"
    place.write_bytes(b"Fa@b.c\0Tx@y.z\0\0")
    with place.open("rb") as one, Path("/dev/full").open("wb") as full:
        done = subprocess.run(HOLDQ_QUEUE, input=END, stdout=one, stderr=full, env=site.environment(), check=False, timeout=20)

    assert done.returncode == 0


def test_out_of_descriptors_is_temporary(site: Site) -> None:
    """A138"""
    place = site.path / "envelope"
    place.write_bytes(b"Fa@b.c\0Tx@y.z\0\0")
    code = QUEUE_CODE.replace("main()", "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); main()")
    with place.open("rb") as one:
        done = subprocess.run([*HOLDQ_QUEUE[:-1], code], input=END, stdout=one, stderr=subprocess.PIPE, env=site.environment(),
                              check=False, timeout=20)

    assert done.returncode in (53, 55)
    assert site.left() == []


def test_the_alarm_is_52(site: Site) -> None:
    """As qmail-queue's after 24 hours; what is left is swept."""
    with subprocess.Popen(HOLDQ_QUEUE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=site.environment()) as process:
        wait_until(lambda: site.store.parts() != [])
        process.send_signal(signal.SIGALRM)
        assert process.wait(10) == 52
    site.recover()

    assert site.left() == []
