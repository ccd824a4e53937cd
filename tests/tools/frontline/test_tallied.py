"""What a person reads of a replay, and a program."""

import json

from qsmtpd.qmail.control import Control
from tests.conftest import QmailHome
from tests.play import environment
from tools.frontline import tallied
from tools.frontline.logged import LoggedConfig
from tools.frontline.replayed import Outcome
from tools.frontline.rerun import ACCEPTED, Told
from tools.frontline.tally import Tally

LAST = {b"id": b"1.1", b"ip": b"192.0.2.1", b"shadow": b"9:2"}


def tally() -> Tally:
    made = Tally()
    made.add(LAST, [
        Outcome(b"a@b", b"x\x1b@y", ACCEPTED, Told(5, "2"), shadows=(3,)), Outcome(b"", b"x@y", Told(4, "7"), ACCEPTED),
        Outcome(b"", b"x@y", Told(5, "validrcpt"), Told(4, "safety")), Outcome(b"", b"x@y", ACCEPTED, ACCEPTED),
        Outcome(b"", b"x@y", Told(5, "1"), Told(5, "2")), Outcome(b"", b"x@y", ACCEPTED, None, ("noptr",))])
    made.add_wait(b"12")
    return made


def test_for_people(qmail_home: QmailHome) -> None:
    qmail_home.write("rules", "relay accept\nnoptr refuse\nany ?defer\nsize > 5 refuse\n")
    with environment({"QMAILHOME": bytes(qmail_home.path)}):
        config = LoggedConfig(Control(str(qmail_home.control)))

    assert list(tallied.for_people(config, tally(), 3, 0)) == [
        "1 sessions with 6 recipients",
        "left out: 3 sessions without an end in the log, 0 that make no sense",
        "not read: 1 rules that are about the message",
        "2 recipients unchanged, 1 of them by another rule",
        "accepted, now refused: 1 recipients, 1 sessions: rule 2: noptr refuse",
        "    id=1.1 ip=192.0.2.1 from=<a@b> to=<x\\x1b@y>",
        "deferred, now accepted: 1 recipients, 1 sessions: by rule 7 of the log",
        "    id=1.1 ip=192.0.2.1 from=<> to=<x@y>",
        "refused, now deferred: 1 recipients, 1 sessions: by safety",
        "    id=1.1 ip=192.0.2.1 from=<> to=<x@y>",
        "undecidable: 1 recipients, 1 sessions; the log does not have for them:",
        "           1  noptr",
        "rule 3 would act on 1 recipients: any ?defer",
        "in the log, rule 9 of its time would have acted 2 times",
        "greylisting kept 1 messages waiting: half of them up to 12 min, nine of ten up to 12 min, the longest 12 min"]


def test_for_a_program() -> None:
    found = json.loads(json.dumps(tallied.as_json(tally(), 3, 1)))

    assert found["changes"][0] == {
        "before": "accepted", "after": "refused", "rule": "2", "recipients": 1, "sessions": 1,
        "examples": [{"id": "1.1", "ip": "192.0.2.1", "from": "a@b", "to": "x\x1b@y"}]}
    assert found["undecidable"] == {"recipients": 1, "sessions": 1, "missing": {"noptr": 1}}
    assert (found["unfinished"], found["unreadable"], found["unchanged"], found["by_another_rule"]) == (3, 1, 2, 1)
    assert found["delays"] == {"messages": 1, "median": 12, "ninety": 12, "longest": 12}
    assert (found["shadows"], found["logged_shadows"]) == ({"3": 1}, {"9": 2})
