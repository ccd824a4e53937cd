"""frontline check from its command line; the shipped rule sets have no error in what is theirs."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, QmailHome, let_others_in
from tests.nameservers import open_directory, rbldnsd
from tests.play import run_program
from tests.tools.frontline.conftest import Frontline

CHECK = ("check", "--offline")


@pytest.fixture
def home(qmail_home: QmailHome, tmp_path: Path) -> QmailHome:
    """Nothing is wrong here; the sessions are root's, who is everywhere."""
    let_others_in(tmp_path)
    qmail_home.write("rcpthosts", "bench.test")
    return qmail_home


def test_nothing_is_wrong(frontline: Frontline, home: QmailHome) -> None:
    said = frontline(*CHECK, "--user", "root")

    assert (said.code, said.err) == (0, "")
    assert ": error: " not in said.out
    assert "default rules: note: " in said.out


def test_all_that_is_wrong_at_once(frontline: Frontline, home: QmailHome) -> None:
    home.write("databytes", "10MB")
    home.write("rules", "nopt refuse\nany refus\n")
    home.write("tags", "vip env VIP\nvip env OTHER\n")
    (home.control / "validrcptto.cdb").write_bytes(b"\0")
    (home.path / "bin/qmail-queue").unlink()

    said = frontline(*CHECK, "--user", "root")

    lines = [line.removeprefix(f"{home.control}/") for line in said.out.split("\n")]
    assert said.code == 100
    assert [line.partition(" error: ")[0] for line in lines if " error: " in line] == [
        "databytes:", "tags:2:1:", "validrcptto.cdb:", "rules:1:1:", "rules:2:5:", f"{home.path}/bin/qmail-queue:"]


def test_a_list_that_a_rule_asks_and_that_is_wrong(frontline: Frontline, home: QmailHome) -> None:
    """Found by making the session's own check."""
    home.write("knowngood", "192.0.2.0/24\n300.1.2.3\n")
    home.write("rules", "relay accept\nknown-good accept\nnoptr refuse\n")

    said = frontline(*CHECK, "--user", "root")

    assert f"{home.control}/knowngood:2: error: " in said.out
    assert said.code == 100


def test_a_variable_of_the_person_hides_nothing(frontline: Frontline, home: QmailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write("databytes", "10MB")
    monkeypatch.setenv("DATABYTES", "5")

    assert frontline(*CHECK, "--user", "root").code == 100


def test_the_store_is_looked_at_when_rules_ask_for_it(frontline: Frontline, home: QmailHome) -> None:
    home.write("rules", "relay accept\nany greylist\n")

    said = frontline(*CHECK, "--user", "root")

    assert f"{home.path}/frontline: error: not there" in said.out
    home.write("store", "redis://127.0.0.1:1/0")
    assert frontline(*CHECK, "--user", "root").code == 0


def test_programs_that_tcp_smtp_names(frontline: Frontline, home: QmailHome) -> None:
    cdb = home.path / "tcp.smtp.cdb"
    rules = '127.:allow,RELAYCLIENT=""\n:allow,QMAILQUEUE="bin/qqshim"\n'
    subprocess.run(["tcprules", cdb, f"{cdb}.tmp"], input=rules.encode(), check=True)

    said = frontline(*CHECK, "--user", "root", "--env", cdb)
    assert f"{cdb}: error: names {home.path}/bin/qqshim, which is not there" in said.out

    (home.path / "bin/qqshim").symlink_to("/bin/true")
    said = frontline(*CHECK, "--user", "root", "--env", cdb)
    assert said.code == 0
    assert "scanners" not in said.out


def test_nobody_runs_the_sessions(frontline: Frontline, home: QmailHome) -> None:
    said = frontline(*CHECK, "--user", "no-such-user")

    assert said.code == 0
    assert "there is no user no-such-user" in said.out


def test_no_directory(frontline: Frontline) -> None:
    said = frontline("check", "/etc/hostname")

    assert (said.code, said.out) == (100, "")
    assert "expected a directory" in said.err


def test_a_zone_that_is_dead(frontline: Frontline, home: QmailHome) -> None:
    """A name server that is not there: a warning, in bounded time."""
    home.write("tags", "dul dnsbl dul.example")
    home.write("dnscacheip", "127.0.0.1:1")
    home.write("dnstimeout", "1")

    said = frontline("check", "--user", "root")

    assert f"{home.control}/tags:1: warning: dul.example does not answer" in said.out
    assert said.code == 0


@pytest.mark.parametrize("rules", sorted((ROOT / "examples").glob("**/control/rules")), ids=lambda path: path.parts[-3])
def test_the_shipped_rules_have_no_fault(rules: Path, frontline: Frontline) -> None:
    """What a site has to add itself (its name, its domains, programs, a store) is not there."""
    said = frontline(*CHECK, rules.parent, "--user", "root")

    of_rules = [line for line in said.out.split("\n") if line.startswith((f"{rules}", f"{rules.parent}/tags"))]
    assert [line for line in of_rules if ": error: " in line] == []
    assert [line for line in of_rules if "never reached" in line or "relay accept" in line] == []


def test_the_installed_program_tells_make(installation: Path, home: QmailHome) -> None:
    """By its exit code."""
    home.write("rules", "nopt refuse\n")

    said, errors, code = run_program([installation / "bin/frontline", *CHECK, "--user", "root"], home, {}, b"")

    assert (code, errors) == (100, b"")
    assert b'did you mean "noptr"?' in said


def test_zones_of_a_real_name_server(frontline: Frontline, home: QmailHome) -> None:
    """rbldnsd: one that is as RFC 5782 wants it, one that was emptied, one that lists the world."""
    data = {"live.test": "127.0.0.2\n", "empty.test": "192.0.2.1\n", "world.test": "0/1\n64/2\n"}
    lists = {zone: ("ip4set", text) for zone, text in data.items()}
    home.write("tags", "live dnsbl live.test\nempty dnsbl empty.test\nworld dnsbl world.test\n")
    with open_directory() as place, rbldnsd(place, lists) as port:
        home.write("dnscacheip", f"127.0.0.1:{port}")
        said = frontline("check", "--user", "root")

    found = [line.removeprefix(f"{home.control}/") for line in said.out.split("\n") if "/tags:" in line]
    assert [line.partition(":")[2].partition(",")[0] for line in found] == [
        "2: error: empty.test is not to be believed", "3: error: world.test is not to be believed"]
    assert said.code == 100
