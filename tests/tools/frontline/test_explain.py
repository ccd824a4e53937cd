"""frontline explain from its command line to what it prints; real tcprules, real installation."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.play import run_program
from tests.tools.frontline.conftest import Frontline

CLIENT = ("explain", "--ip", "192.0.2.7", "--helo", "client.test", "--from", "a@b.test")


def tree(home: QmailHome) -> list[tuple[str, int, int]]:
    """Every file under a home, with its size and when it was changed."""
    paths = sorted(path for path in home.path.rglob("*") if path.is_file())
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def test_the_default_rules(frontline: Frontline, qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")

    said = frontline(*CLIENT, "--to", "x@bench.test", "--to", "x@elsewhere.test")

    assert (said.code, said.err) == (0, "")
    lines = said.out.split("\n")
    assert "    < 250 2.1.5 ok" in lines
    assert "    < 553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts    (safety: rcpthosts)" in lines


def test_what_is_counted_is_told_with_the_first_rule_that_asks(frontline: Frontline, qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", "relay accept\nbadrcpt > goodrcpt tarpit 5\ngoodrcpt > 1 refuse\n")

    lines = frontline(*CLIENT, "--to", "x@bench.test").out.split("\n")

    at = lines.index("   2  no       badrcpt > goodrcpt tarpit 5")
    assert [line.strip() for line in lines[at + 1:at + 4]] == [
        "badrcpt = 0 (at hand)", "goodrcpt = 1 (at hand)", "3  no       goodrcpt > 1 refuse"]


def test_what_tcp_smtp_sets(frontline: Frontline, qmail_home: QmailHome) -> None:
    rules = '192.0.2.7:allow,RBLSMTPD="-go away"\n192.0.2.:allow,RELAYCLIENT=""\n10.:deny\n:allow\n'
    cdb = qmail_home.path / "tcp.smtp.cdb"
    subprocess.run(["tcprules", cdb, f"{cdb}.tmp"], input=rules.encode(), check=True)
    qmail_home.write("rcpthosts", "bench.test")

    blocked = frontline(*CLIENT, "--env", cdb, "--to", "x@bench.test")
    relay = frontline("explain", "--ip", "192.0.2.8", "--env", cdb, "--from", "a@b.test", "--to", "x@far.test")
    denied = frontline("explain", "--ip", "10.1.2.3", "--env", cdb)
    other = frontline("explain", "--ip", "198.51.100.1", "--env", cdb, "--from", "a@b.test", "--to", "x@far.test")

    assert blocked.out.startswith('tcpserver takes the rule for "192.0.2.7": RBLSMTPD="-go away"\n')
    assert "    < 553 5.7.1 go away    (rule" in blocked.out
    assert "    < 250 2.1.5 ok\n" in relay.out
    assert denied.out == 'tcpserver closes the connection: the rule for "10." says deny\n'
    assert "< 553 5.7.1 sorry, that domain" in other.out


def test_it_leaves_no_trace(frontline: Frontline, qmail_home: QmailHome) -> None:
    """Greylisting and rates write what they see; who asks is not seen."""
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", "rate >= 2 refuse\nany greylist\n")
    before = tree(qmail_home)

    for _ in range(3):
        said = frontline(*CLIENT, "--to", "x@bench.test")
        assert "451 4.7.1" in said.out
    assert tree(qmail_home) == before


def test_a_message(frontline: Frontline, qmail_home: QmailHome, tmp_path: Path) -> None:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", 'not-addressed refuse\nany header "X-Rule: {rule}"\n')
    (tmp_path / "message").write_bytes(b"From: a@b.test\r\nTo: x@bench.test\r\n\r\nHello.\r\n")

    said = frontline(*CLIENT, "--to", "x@bench.test", "--message", tmp_path / "message")
    other = frontline(*CLIENT, "--to", "y@bench.test", "--message", tmp_path / "message")

    assert "    adds X-Rule: 2" in said.out
    assert "    goes to the queue program" in said.out
    assert "    < 550 5.7.1" in other.out


def test_one_object_for_a_program(frontline: Frontline, qmail_home: QmailHome) -> None:
    said = frontline(*CLIENT, "--to", "x@bench.test", "--json", "--ptr", "mail.b.test")

    found = json.loads(said.out)
    assert (found["ptr"], found["environment"]) == ("mail.b.test", {})
    assert found["steps"][-1]["stage"] == "rcpt"


@pytest.mark.parametrize(("arguments", "why"), [
    (["--message", "/etc/hostname"], "--message wants a recipient"),
    (["--to", "a@b", "--rules", "/nonexistent"], "/nonexistent: not there"),
    (["--to", "a@b", "--env", "/nonexistent"], "/nonexistent: No such file"),
    (["--tag", "nopt=yes"], "did you mean noptr?"),
    (["--nonsense"], "unrecognized arguments"),
])
def test_a_mistake_is_one_line(arguments: list[str], why: str, frontline: Frontline) -> None:
    said = frontline(*CLIENT, *arguments)

    assert said.code in (100, 111)
    assert said.err.startswith("frontline")
    assert why in said.err
    assert said.err.count("\n") == 1


def test_rules_that_are_wrong(frontline: Frontline, qmail_home: QmailHome) -> None:
    qmail_home.write("rules", "nopt refuse\n")

    said = frontline(*CLIENT)

    assert said.code == 100
    assert 'line 1, column 1: no tag or fact has the name "nopt"; did you mean "noptr"?' in said.err


@pytest.mark.root
def test_root_who_asks_leaves_the_store_to_its_owner(installation: Path, qmail_home: QmailHome) -> None:
    """The installed program, as root: no file of root's appears where qmaild has to write."""
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", "any greylist\n")
    before = tree(qmail_home)

    said, errors, code = run_program([installation / "bin/frontline", *CLIENT, "--to", "x@bench.test"], qmail_home, {}, b"")

    assert (code, errors) == (0, b"")
    assert b"451 4.7.1" in said
    assert tree(qmail_home) == before
    assert os.getuid() == 0
