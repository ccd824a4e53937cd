"""frontline replay on logs of the installed qsmtpd: under its own rules nothing changes, under others just what should."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.play import run_program
from tests.tools.frontline import biglog, talks
from tests.tools.frontline.conftest import Frontline

RULES = """\
banned refuse 553 5.7.1 "{reason}"
badmailfrom refuse
too-many-rcpt defer
relay accept
helo-oneword & null-sender refuse
friends accept
badrcpt >= 2 & badrcpt > goodrcpt close
helo-oneword ?refuse
any throttle 3
"""
GOOD = "good@bench.test"
TWO = [("a@friend.test", [GOOD, "strict@bench.test"], True), ("c@other.test", [GOOD], True)]
GUESSES = ("c@other.test", ["1@bench.test", "2@bench.test", GOOD], False)
SESSIONS: list[tuple[dict[str, bytes], bytes]] = [
    ({}, talks.talk([("client.test", TWO)], False)),
    ({}, talks.talk([("oneword", [("c@other.test", [GOOD, "x@far.test", "bad@bench.test"], False)])], False)),
    ({}, talks.talk([("oneword", [("", [GOOD, GOOD], False)])], True)),
    ({}, talks.talk([("client.test", [("b@bad.test", [GOOD], False), GUESSES])], False)),
    ({"RELAYCLIENT": b""}, talks.talk([("oneword", [("c@other.test", ["x@far.test"], True)])], False)),
    ({"RBLSMTPD": b"-go away"}, talks.talk([("client.test", [("c@other.test", [GOOD, "bad@bench.test"], False)])], False)),
    ({}, talks.talk([("client.test", [])], False)),
    ({}, b""),
]


@pytest.fixture
def log(installation: Path, qmail_home: QmailHome, tmp_path: Path) -> Path:
    """What the real program has logged of these sessions, by way of multilog."""
    talks.prepare(qmail_home)
    qmail_home.write("rules", RULES)
    text = b""
    for number, (env, said) in enumerate(SESSIONS):
        more = {"TCPREMOTEIP": b"192.0.2.%d" % number, **env}
        text += run_program([installation / "bin/qsmtpd"], qmail_home, more, said)[1]
    subprocess.run(["multilog", "t", tmp_path / "log"], input=text, check=True)
    return tmp_path / "log"


def replayed(frontline: Frontline, *arguments: str | Path) -> dict[str, object]:
    said = frontline("replay", "--json", *arguments)
    assert (said.code, said.err) == (0, "")
    found: dict[str, object] = json.loads(said.out)
    return found


def test_under_its_own_rules_nothing_changes(frontline: Frontline, log: Path) -> None:
    found = replayed(frontline, log)

    assert (found["sessions"], found["recipients"]) == (len(SESSIONS), 14)
    assert (found["unchanged"], found["by_another_rule"], found["changes"]) == (14, 0, [])
    assert found["undecidable"] == {"recipients": 0, "sessions": 0, "missing": {}}
    assert (found["unfinished"], found["unreadable"]) == (0, 0)
    assert found["logged_shadows"] == {"8": 3}
    assert found["shadows"] == {"8": 3}


def changes(found: dict[str, object]) -> set[tuple[str, str, str, int, int]]:
    assert isinstance(found["changes"], list)
    return {(each["before"], each["after"], each["rule"], each["recipients"], each["sessions"]) for each in found["changes"]}


def test_a_changed_file_changes_what_it_should(frontline: Frontline, log: Path, tmp_path: Path) -> None:
    """A shadow made real, a list no longer trusted, a refusal gone; each with its recipients and sessions."""
    new = tmp_path / "new"

    new.write_text(RULES.replace("?refuse", "refuse"))
    assert changes(replayed(frontline, "--rules", new, log)) == {("accepted", "refused", "8", 1, 1)}

    new.write_text(RULES.replace("close", "?close"))
    assert changes(replayed(frontline, "--rules", new, log)) == {("deferred", "refused", "validrcpt", 1, 1)}

    new.write_text(RULES.replace("throttle 3", "throttle 1").replace("friends accept\n", "friends ?accept\n"))
    assert changes(replayed(frontline, "--rules", new, log)) == {
        ("accepted", "deferred", "9", 2, 1), ("refused", "deferred", "9", 2, 1)}

    new.write_text(RULES.replace("friends accept\n", "friends defer\n"))
    assert changes(replayed(frontline, "--rules", new, log)) == {("accepted", "deferred", "6", 2, 1)}

    new.write_text(RULES + "any defer@connect\n")
    found = replayed(frontline, "--rules", new, log)
    assert {each[1:3] for each in changes(found)} == {("deferred", "10")}
    assert sum(each[3] for each in changes(found)) == 10


def test_what_is_newly_asked_is_undecidable(frontline: Frontline, log: Path, tmp_path: Path) -> None:
    """Never guessed; and only where it decides."""
    new = tmp_path / "new"
    new.write_text(RULES.replace("any throttle", "noptr refuse\nany throttle"))

    found = replayed(frontline, "--rules", new, log)

    assert found["changes"] == []
    assert found["undecidable"] == {"recipients": 5, "sessions": 3, "missing": {"noptr": 5}}
    new.write_text(RULES + "noptr ?refuse\nspf-fail tarpit 5\n")
    assert replayed(frontline, "--rules", new, log)["undecidable"] == {"recipients": 0, "sessions": 0, "missing": {}}


def test_words_of_another_file(frontline: Frontline, log: Path, tmp_path: Path) -> None:
    """A tag that is no longer defined stops a rule that names it; --tags has it."""
    tags = tmp_path / "tags"
    tags.write_bytes(talks.TAGS)
    control = tmp_path / "qmail/control/tags"
    control.unlink()

    assert frontline("replay", log).code == 100
    assert replayed(frontline, "--tags", tags, log)["changes"] == []


def test_for_people(frontline: Frontline, log: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_text(RULES.replace("?refuse", "refuse"))

    lines = frontline("replay", "--rules", tmp_path / "new", log).out.split("\n")

    assert lines[0] == "8 sessions with 14 recipients"
    assert "accepted, now refused: 1 recipients, 1 sessions: rule 8: helo-oneword refuse" in lines
    example = lines[lines.index("accepted, now refused: 1 recipients, 1 sessions: rule 8: helo-oneword refuse") + 1]
    assert example.endswith(f" ip=192.0.2.1 from=<c@other.test> to=<{GOOD}>")


def test_lines_that_make_no_sense_are_counted(frontline: Frontline, qmail_home: QmailHome, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(
        b"session id=1.1 ip\nsession id=2.1 tags=a,a\nrcpt id=3.1 to=a@b\nsession id=3.1 ip=192.0.2.1\nrcpt id=4.1 x=y\n")

    found = replayed(frontline, tmp_path / "log")

    assert (found["sessions"], found["unreadable"], found["unfinished"]) == (0, 3, 1)


@pytest.mark.parametrize(("arguments", "why"), [
    (["--rules", "/nonexistent", "-"], "/nonexistent: not there"), (["/nonexistent"], "/nonexistent: No such file"),
    ([], "the following arguments are required: LOG")])
def test_a_mistake_is_one_line(arguments: list[str], why: str, frontline: Frontline) -> None:
    said = frontline("replay", *arguments)

    assert said.code in (100, 111)
    assert why in said.err
    assert said.err.count("\n") == 1


def test_the_large_log_is_consistent(frontline: Frontline, qmail_home: QmailHome, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.writelines(biglog.lines(2000))
    (qmail_home.control / "rules").write_bytes(biglog.RULES)
    (qmail_home.control / "tags").write_bytes(biglog.TAGS)

    found = replayed(frontline, tmp_path / "log")

    assert (found["sessions"], found["changes"], found["by_another_rule"]) == (2000, [], 0)
    assert found["undecidable"] == {"recipients": 0, "sessions": 0, "missing": {}}


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_million_sessions(installation: Path, qmail_home: QmailHome, tmp_path: Path) -> None:
    """In minutes, in the memory of a few."""
    with (tmp_path / "log").open("wb") as file:
        file.writelines(biglog.lines(1_000_000))
    (qmail_home.control / "rules").write_bytes(biglog.RULES)
    (qmail_home.control / "tags").write_bytes(biglog.TAGS)
    began = time.monotonic()

    argv = ["softlimit", "-m", "100000000", installation / "bin/frontline", "replay", tmp_path / "log"]
    environment = {"QMAILHOME": str(qmail_home.path), "PATH": os.environ["PATH"]}
    done = subprocess.run(argv, capture_output=True, check=True, timeout=1000, env=environment)

    assert done.stdout.startswith(b"1,000,000 sessions")
    assert time.monotonic() - began < 600
