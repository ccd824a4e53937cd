"""What a person sees of an explanation, and a program."""

import json

from tests.conftest import QmailHome
from tests.play import environment
from tools.frontline import explained
from tools.frontline.rehearsal import Client, Rehearsal

RULES = """\
helo-oneword   ?refuse
noptr          tarpit 3
dul            defer "{ip} is listed by {lists}"
relay          accept
any            refuse "no\\nreally"
size > 5       refuse
"""


def session(home: QmailHome, *tags: str, helo: bytes = b"one\x1b[2Jword") -> Rehearsal:
    home.write("rcpthosts", "bench.test")
    home.write("tags", "dul dnsbl dul.example")
    home.write("rules", RULES)
    with environment({"QMAILHOME": bytes(home.path)}):
        made = Rehearsal(Client(b"192.0.2.1", None, helo), None, list(tags))
        made.connect()
        made.transaction(b"a@b.test", [b"x@bench.test"], None)
    return made


def test_what_a_person_sees(qmail_home: QmailHome) -> None:
    lines = list(explained.for_people(session(qmail_home, "noptr=yes", "dul=no"), False))

    text = "\n".join(lines)
    assert lines[0] == "connection from 192.0.2.1"
    assert "    no rule speaks at connect" in lines
    assert "   1  yes      helo-oneword ?refuse" in lines
    assert "   2  yes      noptr tarpit 3" in lines
    assert "      rule 5 decides: refuse" in lines
    assert lines[-3:] == ["    after 3 s", "    < 550-5.7.1 no", "    < 550 5.7.1 really    (rule 5)"]
    assert "relay = no (at hand)" in text
    assert "later" not in text


def test_all_of_it(qmail_home: QmailHome) -> None:
    lines = list(explained.for_people(session(qmail_home, "noptr=yes", "dul=no"), True))

    assert "   6  later    size > 5 refuse" in lines


def test_a_name_from_outside_does_not_move_the_cursor(qmail_home: QmailHome) -> None:
    """A45: what somebody else chose is shown as it is safe to show."""
    lines = list(explained.for_people(session(qmail_home, "noptr=no", "dul=yes"), False))

    assert "EHLO one\\x1b[2Jword" in lines
    assert not any("\x1b" in line for line in lines)
    assert lines[-1] == "    < 451 4.7.1 192.0.2.1 is listed by dul    (rule 3)"


def test_what_a_program_sees(qmail_home: QmailHome) -> None:
    found = json.loads(json.dumps(explained.as_json(session(qmail_home, "noptr=unknown", "dul=no", helo=b"\xff"))))

    assert (found["ip"], found["ptr"], found["helo"], found["over"]) == ("192.0.2.1", None, "\xff", False)
    assert [step["stage"] for step in found["steps"]] == ["connect", "helo", "mail", "rcpt"]
    last = found["steps"][-1]
    assert (last["about"], last["code"], last["rule"]) == ("x@bench.test", 550, "5")
    assert last["reply"] == "550-5.7.1 no\r\n550 5.7.1 really\r\n"
    reading = last["readings"][0]
    assert [(rule["line"], rule["holds"]) for rule in reading["rules"]] == [
        (1, "yes"), (2, "unknown"), (3, "no"), (4, "no"), (5, "yes")]
    assert reading["rules"][3]["words"] == [
        {"name": "relay", "value": "no", "asked": True, "cost": "at hand", "ms": 0.0, "reason": ""}]
    assert (reading["verb"], reading["rule"], reading["later"]) == ("refuse", "5", [6])
