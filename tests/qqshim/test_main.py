"""The program as installed: what callers, scanners that lie, and faults of the machine make of it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from socket import socket

import pytest

from qqshim import certificate, digest, header
from qsmtpd.qmail import outcome
from qsmtpd.qmail.queue import QueueRun
from tests import scanners
from tests.conftest import QmailHome
from tests.qqshim.callers import ENVELOPE, INDIMAIL, MESSAGE, NOTQMAIL, OURS, PLAIN, SAGREDO, SIMSCAN, Family, HandedShim, Shim
from tests.scanners import EICAR, GTUBE, OFFER, Scanner, lying, read_instream, read_spamc
from tests.servers import free_port, wait_until

FAMILIES = {"notqmail": NOTQMAIL, "simscan": SIMSCAN, "sagredo": SAGREDO, "indimail": INDIMAIL, "plain": PLAIN}
VIRUS = "sorry, this message contains Frontline.Eicar-Test.UNOFFICIAL"
NOT_NOW = "sorry, this message cannot be scanned now, try again later"
NOWHERE = "127.0.0.1:1"


def value_on_top(message: bytes) -> bytes:
    assert message.startswith(b"X-Frontline-Verdict: ")
    return header.find(message, certificate.NAME) or b""


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_caller_understands_a_refusal(shim: Shim, clamd: Scanner, family: Family) -> None:
    called = shim(MESSAGE + EICAR, family=family, clamd=clamd.unix)
    plain = family is PLAIN

    assert called.reply == (554, "mail server permanently rejected message" if plain else f"{VIRUS} (#5.7.1)")
    assert called.exit_code == (31 if plain else family.codes[-1] if family.environment else 82)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_caller_understands_not_now(shim: Shim, family: Family) -> None:
    called = shim(family=family, clamd=NOWHERE)

    assert called.reply == (451, "mail server temporarily rejected message" if family is PLAIN else f"{NOT_NOW} (#4.3.0)")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_caller_gets_its_message_queued(shim: Shim, qmail_home: QmailHome, family: Family) -> None:
    """Byte for byte, our field on top, and a log line on descriptor 2 where that is a log."""
    called = shim(family=family)

    assert called.reply == (250, "ok")
    assert called.words == b""
    ((message, envelope),) = qmail_home.messages()
    assert envelope == ENVELOPE
    assert message.partition(b"\nReceived:")[2] == MESSAGE.removeprefix(b"Received:")
    assert len(called.log) == (0 if family is INDIMAIL and not isinstance(shim, HandedShim) else 1)


@pytest.mark.parametrize(("settings", "expected"), [
    ({"clamd": "clamd"}, (554, "5.7.1", VIRUS)), ({"clamd": NOWHERE}, (451, "4.3.0", NOT_NOW)), ({}, (0, "2.0.0"))])
def test_our_own_caller(
        shim: Shim, clamd: Scanner, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str],
        expected: tuple[object, ...]) -> None:
    for name, text in {**shim.environment, **settings}.items():
        monkeypatch.setenv(name.upper(), clamd.unix if text == "clamd" else text)
    run = QueueRun(shim.argv[0])
    run.write(MESSAGE + EICAR)
    outcome = run.finish(b"sender@example.org", [b"user@bench.test"])

    assert (outcome.code, outcome.status, *outcome.lines) == expected


def test_a_caller_that_gives_up(shim: Shim, qmail_home: QmailHome) -> None:
    """No final NUL: 54, and nobody is asked: a scanner that is down would have said 451 in other words."""
    for envelope in (b"", b"Fa@b\0Tc@d\0"):
        called = shim(envelope=envelope, family=NOTQMAIL, clamd=NOWHERE)
        assert (called.exit_code, called.words) == (54, b"")
    assert qmail_home.messages() == []


def test_qsmtpd_is_told_the_score_and_nobody_else(shim: Shim, spamd: Scanner, qmail_home: QmailHome) -> None:
    """So that it learns who is known good."""
    qmail_home.write("spamd", spamd.tcp)

    ours, another = shim(MESSAGE + OFFER, family=OURS), shim(MESSAGE + OFFER, family=NOTQMAIL)

    assert (ours.exit_code, outcome.told(ours.words)) == (0, (6.5, b""))
    assert (another.exit_code, another.words) == (0, b"")


def test_spam(shim: Shim, spamd: Scanner, qmail_home: QmailHome) -> None:
    """Tagged, unless its score is as high as control/spamreject says."""
    qmail_home.write("spamd", spamd.tcp)
    qmail_home.write("spamreject", "6.6")
    tagged = shim(MESSAGE + OFFER, family=NOTQMAIL)
    refused = shim(MESSAGE + GTUBE, family=NOTQMAIL)
    qmail_home.write("spamreject", "6.5")
    refused_too = shim(MESSAGE + OFFER, family=NOTQMAIL)

    assert tagged.reply == (250, "ok")
    assert refused.reply == (554, "sorry, this message looks like spam, its score is 1000.0 (#5.7.1)")
    assert refused_too.reply == (554, "sorry, this message looks like spam, its score is 6.5 (#5.7.1)")
    ((message, _),) = qmail_home.messages()
    found = certificate.read(value_on_top(message), None)
    assert (found.verdict, found.tags, found.score) == ("tag", ("spam",), 65)


def close(_peer: socket) -> None:
    pass


def sleep(_peer: socket) -> None:
    time.sleep(3)


def say(read: Callable[[socket], bytes], answer: bytes) -> Callable[[socket], None]:
    def behave(peer: socket) -> None:
        read(peer)
        peer.sendall(answer)

    return behave


SPAMD_HEAD = b"SPAMD/1.1 0 EX_OK\r\n"
LIES = [
    ("clamd", close), ("clamd", sleep), ("clamd", lambda peer: peer.sendall(b"stream: OK\0")),
    *[("clamd", say(read_instream, answer)) for answer in (
        b"", b"stream: O", b"stream: OK", b"stream: a FOUND in a name: OK\0", b"stream: x y FOUND\0", b"ERROR\0",
        b"x" * 100_000,
        b"INSTREAM size limit exceeded. ERROR\0", b"stream: Heuristics.Limits.Exceeded.MaxFiles FOUND\0")],
    ("spamd", close), ("spamd", sleep),
    *[("spamd", say(read_spamc, answer)) for answer in (
        b"", SPAMD_HEAD, SPAMD_HEAD + b"Content-length: 99999999999999999999\r\nSpam: True ; 99 / 5\r\n\r\n",
        SPAMD_HEAD + b"Content-length: -1\r\nSpam: True ; 99 / 5\r\n\r\n", b"SPAMD/1.0 74 EX_IOERR\r\n\r\n",
        SPAMD_HEAD + b"Content-length: 0\r\nSpam: True ; nan / 5\r\n\r\n", b"x" * 200_000,
        SPAMD_HEAD + b"Content-length: 0\r\nSpam: True ; 1000000000 / 5\r\n\r\n",
        SPAMD_HEAD + b"Content-length: 0\r\nSpam: False ; 99.0 / 5.0\r\n\r\n",
        SPAMD_HEAD + b"Content-length: 0\r\nSpam: True ; 1.0 / 5.0\r\n\r\n",
        SPAMD_HEAD + b"Content-length: 4\r\nSpam: True ; 9.0 / 5.0\r\n\r\nA\0\x1b[")],
]


@pytest.mark.parametrize(("scanner", "behave"), LIES)
def test_a_lying_scanner_is_a_failed_one(
        shim: Shim, qmail_home: QmailHome, tmp_path: Path, scanner: str, behave: Callable[[socket], None]) -> None:
    """A87: never clean, never a refusal; what becomes of the message is the fail policy's to say."""
    with lying(tmp_path / "s", behave) as server:
        settings = {scanner: server.tcp, f"{scanner}timeout": "1", "spamreject": "5", "family": NOTQMAIL}
        passed = shim(**settings, **{f"{scanner}fail": "pass"})  # type: ignore[arg-type]
        deferred = shim(**settings, **{f"{scanner}fail": "defer"})  # type: ignore[arg-type]

    assert passed.reply == (250, "ok")
    assert deferred.reply == (451, f"{NOT_NOW} (#4.3.0)")
    ((message, _),) = qmail_home.messages()
    (tag,) = certificate.read(value_on_top(message), None).tags
    assert tag in (f"{scanner}-failed", f"{scanner}-toolarge")
    for line in (*passed.log, *deferred.log):
        assert line["why"].startswith(scanner.encode())
        assert line["tags"] == tag.encode()


def test_too_large_for_the_scanners(shim: Shim, clamd: Scanner, spamd: Scanner, qmail_home: QmailHome) -> None:
    """clamd's policy holds; spamd is passed by whatever its policy says."""
    settings = {"clamd": clamd.tcp, "clamdmaxsize": "50", "spamd": spamd.tcp, "spamdmaxsize": "50", "spamdfail": "defer"}

    assert shim(**settings).reply[0] == 451
    assert shim(**settings, clamdfail="pass").reply == (250, "ok")
    assert shim(**{**settings, "clamd": ""}).reply == (250, "ok")
    tags = [certificate.read(value_on_top(message), None).tags for message, _ in qmail_home.messages()]
    assert sorted(tags) == [("clamd-toolarge", "spamd-toolarge"), ("spamd-toolarge",)]


def test_a_real_scanner_that_stands_still_and_is_killed(shim: Shim, qmail_home: QmailHome) -> None:
    """A139: while it has the message, and when it is gone."""
    with scanners.clamd() as own:
        def kill(_pid: int) -> None:
            time.sleep(0.3)
            os.kill(own.service.pid, signal.SIGKILL)

        os.kill(own.service.pid, signal.SIGSTOP)
        assert shim(clamd=own.tcp, during=kill).reply[0] == 451
        assert shim(clamd=own.tcp).reply[0] == 451
        assert shim(clamd=own.tcp, clamdfail="pass").reply[0] == 250
    assert len(qmail_home.messages()) == 1


def test_a_scanner_that_goes_away_in_the_middle(shim: Shim, qmail_home: QmailHome, tmp_path: Path) -> None:
    """A139: the message waits with its sender, or goes on with a tag."""
    def die(peer: socket) -> None:
        peer.recv(1000)
        peer.close()

    with lying(tmp_path / "s", die) as server:
        assert shim(MESSAGE * 100_000, clamd=server.unix).reply[0] == 451
        assert shim(MESSAGE * 100_000, clamd=server.unix, clamdfail="pass").reply[0] == 250
    assert len(qmail_home.messages()) == 1


def test_the_log_line(shim: Shim, clamd: Scanner, spamd: Scanner, qmail_home: QmailHome) -> None:
    """A42: one line, written before the next program begins, which says so."""
    body = b"A long enough text, so that it has a digest of its own.\n" + OFFER
    envelope = b'Fa b="\n@x\0Ty@z\0Tq@z\0\0'
    called = shim(b"Subject: x\n\n" + body, envelope, TCPREMOTEIP="192.0.2.7", clamd=clamd.unix, spamd=spamd.unix)
    (line,) = called.log

    assert line.pop("ms").isdigit()
    lone = not isinstance(shim, HandedShim)
    assert line.pop("cpu-ms", b"").isdigit() is lone, "a process that has many messages does not know that of each"
    number = line.pop("qp")
    assert qmail_home.queued.joinpath(line.pop("next-qp", number).decode()).exists(), "the next program has the same process id"
    assert line == {
        "ip": b"192.0.2.7", "from": b'a b="\n@x', "rcpts": b"2", "size": b"%d" % (12 + len(body)),
        "digest": digest.of_text(body), "score": b"6.5", "tags": b"spam", "symbols": b"OFFER",
        "next": os.fsencode(qmail_home.path / "bin/qmail-queue"),
        "verdict": b"handed on"}


@pytest.mark.parametrize(("environment", "client", "relay"), [
    ({"TCPREMOTEIP": "192.0.2.7"}, b"192.0.2.7", False),
    ({"TCPREMOTEIP": "::ffff:192.0.2.7", "RELAYCLIENT": ""}, b"192.0.2.7", True),
    ({"TCPREMOTEIP": "x\nX-Evil: 1"}, None, False), ({}, None, None)])
def test_the_certificate(shim: Shim, qmail_home: QmailHome, environment: dict[str, str], client: bytes | None,
                         relay: bool | None) -> None:
    """A80: what came with the message is gone, ours is on top and signed."""
    key = b"0123456789abcdef0123456789abcdef"
    qmail_home.write("verdictkey", key.decode())
    (qmail_home.control / "verdictkey").chmod(0o640)
    shim(b"X-FRONTLINE-VERDICT: v=1; verdict=pass\n folded\n" + MESSAGE, **environment)

    ((message, _),) = qmail_home.messages()
    found = certificate.read(value_on_top(message), key)
    assert message.lower().count(b"x-frontline-verdict") == 1
    assert (found.client, found.relay, found.recipients, found.verdict, found.tags) == (client, relay, 1, "pass", ())
    assert (found.sender, found.message_id) == (digest.of_name(b"sender@example.org"), digest.of_name(b"<1@example.org>"))
    assert abs(found.time - time.time()) < 60


def test_an_open_key_is_complained_of(shim: Shim, qmail_home: QmailHome) -> None:
    """A133."""
    qmail_home.write("verdictkey", "0123456789abcdef0123456789abcdef")
    (qmail_home.control / "verdictkey").chmod(0o644)
    called = shim()

    assert b"open to the world" in called.log[0]["key"]
    assert b"mac=" not in qmail_home.messages()[0][0]


@pytest.mark.parametrize(("settings", "code"), [
    ({"clamd": "somewhere"}, 55), ({"clamdfail": "hold"}, 55), ({"spamreject": "lots"}, 55),
    ({"spamd": NOWHERE, "spamdtimeout": "0"}, 55), ({"qqnext": "/nowhere/qmail-queue"}, 55), ({"qqnext": "/etc/passwd"}, 55),
    ({"qqtmp": "/nowhere"}, 53), ({"qqtmp": "/proc"}, 53)])
def test_faults_are_temporary(shim: Shim, qmail_home: QmailHome, settings: dict[str, str], code: int) -> None:
    """A137, A140: with a log line that says why, and no word to the client."""
    called = shim(MESSAGE * 5000, family=NOTQMAIL, **settings)

    assert (called.exit_code, called.words) == (code, b"")
    assert (called.log[-1]["verdict"], called.log[-1]["code"]) == (b"failed", b"%d" % code)
    assert called.log[-1]["why"]
    assert qmail_home.messages() == []


def test_an_unreadable_control_file(shim: Shim, qmail_home: QmailHome) -> None:
    (qmail_home.control / "spamd").mkdir()

    assert shim().exit_code == 55


def test_a_chain_that_leads_back(shim: Shim) -> None:
    """control/qqnext names qqshim: else it would go round until the end of time."""
    called = shim(qqnext=shim.argv[0])

    assert called.exit_code == 55
    assert called.log[-1]["why"] == b"qqnext leads back to qqshim"


def test_the_alarm(cold: Shim, tmp_path: Path) -> None:
    """A day is over while a scanner has the message."""
    def ring(pid: int) -> None:
        wait_until(lambda: bool(asked))
        os.kill(pid, signal.SIGALRM)

    asked: list[socket] = []
    with lying(tmp_path / "s", lambda peer: (asked.append(peer), time.sleep(1))[1]) as server:
        called = cold(clamd=server.tcp, during=ring)

    assert called.exit_code == 52


def test_a_bug_is_temporary(installation: Path, cold: Shim, tmp_path: Path) -> None:
    """A140: not even a traceback's exit code 1, or 120."""
    program = tmp_path / "broken"
    packages = next((installation / "lib").glob("python3*/site-packages"))
    program.write_text(
        f"#!{installation}/bin/python3 -IS\nimport sys\nsys.path.append({str(packages)!r})\nimport qqshim.main\n"
        "qqshim.passage.receive = lambda *_: 1 / 0\nqqshim.main.main()\n")
    program.chmod(0o755)
    cold.argv = [str(program)]
    called = cold()

    assert called.exit_code == 81
    assert called.log[0]["why"].startswith(b"ZeroDivisionError: division by zero at ")


def test_a_broken_installation_is_temporary(installation: Path, tmp_path: Path, cold: Shim) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to((installation / "bin/python3").resolve())
    program = (installation / "bin/qqshim").read_text()
    (tmp_path / "bin/qqshim").write_text(program.replace(str(installation), str(tmp_path)))
    (tmp_path / "bin/qqshim").chmod(0o755)
    cold.argv = [str(tmp_path / "bin/qqshim")]
    called = cold()

    assert called.exit_code == 81
    assert called.stderr.startswith(b"qqshim: ModuleNotFoundError: ")


@pytest.mark.parametrize("message", [b"", b"\n", b"x", b"Subject: x"])
def test_the_smallest_messages(shim: Shim, qmail_home: QmailHome, clamd: Scanner, spamd: Scanner, message: bytes) -> None:
    assert shim(message, clamd=clamd.unix, spamd=spamd.unix).reply == (250, "ok")
    assert qmail_home.messages()[0][0].endswith(b"\n" + message)


def test_thirty_megabytes_under_softlimit(cold: Shim, qmail_home: QmailHome, tmp_path: Path) -> None:
    """A32, A88: one header field of 20 MB and 10 MB of body; memory stays flat, also while a scanner reads."""
    sizes: list[int] = []
    process: list[int] = []

    def behave(peer: socket) -> None:
        read_instream(peer)
        status = Path(f"/proc/{process[0]}/status").read_text()
        sizes.append(int(status.partition("VmHWM:")[2].split()[0]))
        peer.sendall(b"stream: OK\0")

    message = b"Subject: " + b"x" * 20_000_000 + b"\n\n" + b"A line of the body.\n" * 500_000
    cold.argv = ["/usr/bin/softlimit", "-m", "40000000", *cold.argv]
    with lying(tmp_path / "s", behave) as server:
        called = cold(message, clamd=server.unix, during=process.append)

    assert called.reply == (250, "ok"), called
    assert qmail_home.messages()[0][0].endswith(message)
    assert sizes[0] <= 14 * 1024


def test_a_small_message_in_little_memory(cold: Shim) -> None:
    """The budget is 14 MiB without scanners, here when all is read but the end of the envelope."""
    sizes: list[int] = []

    def look(pid: int) -> None:
        time.sleep(0.5)
        sizes.append(int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]))
        os.close(held)

    read, held = os.pipe()
    cold(extra={1: read}, during=look)
    os.close(read)

    assert sizes[0] <= 14 * 1024


def test_the_proof_of_install(installation: Path) -> None:
    """softlimit -m 40000000 qqshim 0</dev/null 1</dev/null: 54, not 127."""
    done = subprocess.run(
        f"softlimit -m 40000000 {installation}/bin/qqshim 0</dev/null 1</dev/null 2>/dev/null", shell=True, check=False)

    assert done.returncode == 54


def test_a_hostile_environment(shim: Shim, qmail_home: QmailHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A55: the working directory and the variables belong to somebody else."""
    for name in ("os.py", "qqshim.py", "sitecustomize.py", "usercustomize.py"):
        (tmp_path / name).write_text("raise SystemExit(0)\n")
    monkeypatch.chdir(tmp_path)
    hostile = {
        "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "os.py"), "PYTHONHOME": str(tmp_path), "IFS": "/",
        "ENV": "/x", "PYTHONUSERBASE": str(tmp_path), "PYTHONINSPECT": "1",
        "LC_ALL": "tr_TR.UTF-8", "BASH_ENV": "/x"}

    assert shim(**hostile).reply == (250, "ok")
    assert len(qmail_home.messages()) == 1


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_closed_descriptors(cold: Shim, qmail_home: QmailHome, closed: tuple[int, ...]) -> None:
    """A55: nothing of ours takes the place of a descriptor that is not there."""
    message, envelope = os.pipe(), os.pipe()
    os.write(message[1], MESSAGE)
    os.write(envelope[1], ENVELOPE)
    actions: list[tuple[int, ...]] = [
        (os.POSIX_SPAWN_DUP2, fd, place) for place, fd in ((0, message[0]), (1, envelope[0])) if place not in closed]
    actions += [(os.POSIX_SPAWN_CLOSE, place) for place in closed]
    for fd in (message[1], envelope[1]):
        os.set_inheritable(fd, False)
    pid = os.posix_spawn(cold.argv[0], cold.argv, cold.environment, file_actions=actions)
    for fd in (*message, *envelope):
        os.close(fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert code == (54 if 1 in closed else 0)
    assert len(qmail_home.messages()) == (0 if 1 in closed else 1)


@pytest.mark.root
@pytest.mark.usefixtures("accounts")
def test_under_the_real_accounts(installation: Path, cold: Shim, clamd: Scanner, spamd: Scanner) -> None:
    """qmaild is believed and may sign; another user is not, may not, and his stderr stays his own."""
    listing = subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True)
    home = QmailHome(Path(listing.stdout.strip()) / "qmail")
    home.path.parent.chmod(0o755)
    home.write("verdictkey", "0123456789abcdef0123456789abcdef")
    subprocess.run(["chgrp", "nofiles", home.control / "verdictkey"], check=True)
    (home.control / "verdictkey").chmod(0o640)
    cold.environment["QMAILHOME"] = str(home.path)
    program, settings = cold.argv, {"TCPREMOTEIP": "192.0.2.7", "RELAYCLIENT": "", "clamd": clamd.unix, "spamd": spamd.unix}
    called = {}
    for user in ("qmaild", "nobody"):
        cold.argv = ["/usr/bin/setuidgid", user, *program]
        called[user] = cold(**settings)
    (by_server, _), (by_user, _) = home.messages()
    subprocess.run(["rm", "-r", home.path.parent], check=True)

    assert [each.reply for each in called.values()] == [(250, "ok")] * 2
    assert certificate.read(value_on_top(by_server), b"0123456789abcdef0123456789abcdef").relay is True
    assert called["qmaild"].log[0]["ip"] == b"192.0.2.7"
    assert b"mac=" not in value_on_top(by_user)
    assert certificate.read(value_on_top(by_user), None).client is None
    assert called["nobody"].stderr == b""


def test_a_free_port_is_a_scanner_that_is_down(shim: Shim) -> None:
    assert shim(spamd=f"127.0.0.1:{free_port()}", spamdfail="defer").reply[0] == 451
