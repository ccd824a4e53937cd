"""qsmtpd started as tcpserver starts it: control files that are wrong, the environment of tcp.smtp, real clients."""

import grp
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qsmtpd.config import SETTINGS
from tests.conftest import QmailHome, let_others_in
from tests.play import run_program
from tests.servers import free_port, listens, running
from tests.transcript import codes

TALK = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nRCPT TO:<x@elsewhere.test>\r\nQUIT\r\n"


def test_an_empty_control_directory_relays_nothing(installation: Path, qmail_home: QmailHome) -> None:
    """As qmail-smtpd: without me it has no name to greet with."""
    (qmail_home.control / "me").unlink()

    answer, log, exit_code = run_program([installation / "bin/qsmtpd"], qmail_home, {}, TALK)

    assert (codes(answer), exit_code) == ([421], 1)
    assert b"control/me: absent or empty" in log


def test_with_me_alone_it_relays_nothing(installation: Path, qmail_home: QmailHome) -> None:
    answer, _, _ = run_program([installation / "bin/qsmtpd"], qmail_home, {}, TALK)

    assert codes(answer) == [220, 250, 553, 553, 221]


@pytest.mark.parametrize("name", [
    "me", "badmailfrom", "badrcptto", "rcpthosts", "validrcptto", "recipients", "rules", "tags",
    *(setting.name for setting in SETTINGS)])
def test_a_control_file_that_cannot_be_read_is_a_temporary_failure(
        name: str, installation: Path, qmail_home: QmailHome) -> None:
    (qmail_home.control / name).unlink(missing_ok=True)
    (qmail_home.control / name).mkdir()

    answer, log, _ = run_program([installation / "bin/qsmtpd"], qmail_home, {}, TALK)

    assert codes(answer)[-1] == 421
    assert not {250, 550} & set(codes(answer)[2:])
    assert b"unable to read controls" in answer
    assert f"control/{name}: Is a directory".encode() in log


def test_a_number_that_is_none(installation: Path, qmail_home: QmailHome) -> None:
    """A59."""
    qmail_home.write("databytes", "10MB")

    answer, log, _ = run_program([installation / "bin/qsmtpd"], qmail_home, {}, TALK)

    assert codes(answer) == [421]
    assert b"control/databytes: expected a number" in log


@pytest.mark.parametrize("name", ["morercpthosts.cdb", "validrcptto.cdb", "morevalidrcptto.cdb"])
@pytest.mark.parametrize("damage", [b"", b"\x00\x08\x00\x00", b"\xff" * 2048, b"\x00\x08\x00\x00\xff\xff\xff\x1f" * 256])
def test_a_damaged_database_admits_and_refuses_nobody(
        name: str, damage: bytes, installation: Path, qmail_home: QmailHome) -> None:
    """A130: empty, cut off, tables beyond the end, 2^29 slots."""
    qmail_home.write("rcpthosts", "other.test" if name.startswith("morercpt") else "bench.test")
    (qmail_home.control / name).write_bytes(damage)

    said = b"MAIL FROM:<>\r\nRCPT TO:<x@bench.test>\r\nQUIT\r\n"

    answer, log, _ = run_program(["softlimit", "-m", "40000000", installation / "bin/qsmtpd"], qmail_home, {}, said)

    assert codes(answer) == [220, 250, 421]
    assert name.encode() in log


def test_a_home_that_is_not_there(installation: Path, qmail_home: QmailHome) -> None:
    answer, _, exit_code = run_program([installation / "bin/qsmtpd"], qmail_home, {"QMAILHOME": b"/nonexistent"}, TALK)

    assert (codes(answer), exit_code) == ([421], 1)


def test_what_the_queue_program_is_given(installation: Path, qmail_home: QmailHome) -> None:
    """QMAILHOME as its directory, QMAILQUEUE gone, the Received field with hostile names made harmless (A40, A41)."""
    qmail_home.write("rcpthosts", "bench.test")
    program = qmail_home.queue_program(
        'cat > "$d/message"; cat <&1 > "$d/envelope"; { pwd; echo "q=$QMAILQUEUE"; } > "$d/rest"; mv "$d" "${d%.part}"')
    program.rename(qmail_home.path / "bin/other-queue")
    env = {
        "QMAILQUEUE": bytes(qmail_home.path / "bin/other-queue"), "TCPREMOTEIP": b"192.0.2.7",
        "TCPREMOTEHOST": b"h\r\nX-Forged: y", "TCPREMOTEINFO": b"i\nX-Forged: y", "TCPLOCALHOST": b"mx.bench.test"}

    run_program([installation / "bin/qsmtpd"], qmail_home, env,
                b"EHLO a\x1b[2J)\x0bX: y\r\nMAIL FROM:<>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\n.\r\nQUIT\r\n")

    message = qmail_home.messages()[0][0]
    first, second, rest = message.split(b"\n")
    assert first == b"Received: from h??X-Forged:?y (HELO a?[2J??X:?y) (i?X-Forged:?y@192.0.2.7)"
    assert second.startswith(b"  by mx.bench.test with ESMTP; ")
    assert second.endswith(b" -0000")
    assert rest == b""
    place = next(place for place in qmail_home.queued.iterdir())
    assert (place / "rest").read_text() == f"{qmail_home.path}\nq=\n"


@contextmanager
def tcpserver(home: QmailHome, program: Path, rules: str, *options: str) -> Iterator[int]:
    """A real tcpserver with a tcp.smtp.cdb made by the real tcprules; the port."""
    cdb = home.path / "tcp.smtp.cdb"
    subprocess.run(["tcprules", cdb, f"{cdb}.tmp"], input=rules.encode(), check=True)
    port = free_port()
    argv = ["tcpserver", "-v", "-H", "-R", "-l", "mx.bench.test", "-x", cdb, *options, "127.0.0.1", str(port), program]
    with running(argv, home.path / "log", lambda: listens(port), env={"QMAILHOME": str(home.path), "PATH": "/usr/bin:/bin"}):
        yield port


def swaks(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{port}", "--helo", "client.test", "--from", "a@b.test", *arguments],
        capture_output=True, text=True, timeout=60, check=False)


def test_tcpserver_tcprules_and_swaks(installation: Path, qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    with tcpserver(qmail_home, installation / "bin/qsmtpd", ":allow\n") as port:
        good = swaks(port, "--to", "good@bench.test", "--body", "a\n.b\n..\nc")
        bad = swaks(port, "--to", "good@elsewhere.test")

    assert good.returncode == 0
    assert bad.returncode == 24
    assert "553 5.7.1 sorry, that domain isn't in my list" in bad.stdout
    message, envelope = qmail_home.messages()[0]
    assert envelope == b"Fa@b.test\0Tgood@bench.test\0\0"
    assert b"\na\n.b\n..\nc\n" in message
    assert message.startswith(b"Received: from unknown (HELO client.test) (127.0.0.1)\n  by mx.bench.test with ESMTP; ")


def test_the_instructions_of_tcp_smtp(installation: Path, qmail_home: QmailHome) -> None:
    """RELAYCLIENT, DATABYTES, RBLSMTPD, and a denied client."""
    qmail_home.write("rcpthosts", "bench.test")
    program = installation / "bin/qsmtpd"
    with tcpserver(qmail_home, program, '127.:allow,RELAYCLIENT="",DATABYTES="300"\n') as port:
        assert swaks(port, "--to", "x@elsewhere.test", "--body", "short").returncode == 0
        assert "552 5.3.4" in swaks(port, "--to", "x@elsewhere.test", "--body", "long" * 100).stdout
    with tcpserver(qmail_home, program, '127.:allow,RBLSMTPD="-go away"\n') as port:
        assert "553 5.7.1 go away" in swaks(port, "--to", "x@bench.test").stdout
    with tcpserver(qmail_home, program, "127.:deny\n") as port:
        assert swaks(port, "--to", "x@bench.test").returncode != 0
    assert len(qmail_home.messages()) == 1


def test_smtp_source_sends_many_at_once(installation: Path, qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    with tcpserver(qmail_home, installation / "bin/qsmtpd", ":allow\n") as port:
        message = ["-l", "4000", "-f", "a@b.test", "-t", "good@bench.test"]
        subprocess.run(["smtp-source", "-s", "8", "-m", "60", *message, f"127.0.0.1:{port}"], check=True, timeout=60)

    assert len(qmail_home.messages()) == 60


@pytest.mark.root
def test_as_qmaild_under_the_softlimit_of_install(
        installation: Path, qmail_home: QmailHome, accounts: None, tmp_path: Path) -> None:
    """tcpserver -u qmaild -g holdq, as in examples/run."""
    let_others_in(tmp_path)
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.queue_program(
        'cat > "$d/message"; cat <&1 > "$d/envelope"; id -un > "$d/who"; id -gn >> "$d/who"; mv "$d" "${d%.part}"')
    uid, gid = pwd.getpwnam("qmaild").pw_uid, grp.getgrnam("holdq").gr_gid
    wrapper = tmp_path / "smtpd"
    wrapper.write_text(f"#!/bin/sh\nexec softlimit -m 40000000 {installation}/bin/qsmtpd\n")
    wrapper.chmod(0o755)
    with tcpserver(qmail_home, wrapper, ":allow\n", "-u", str(uid), "-g", str(gid)) as port:
        assert swaks(port, "--to", "good@bench.test").returncode == 0

    place = next(place for place in qmail_home.queued.iterdir())
    assert (place / "who").read_text() == "qmaild\nholdq\n"
