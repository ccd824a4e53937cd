"""Pages that say the same as the code: compatibility.md and the corpus, settings.md and the tables, log.md and a session."""

import re
from pathlib import Path

import pytest

from qsmtpd.qmail import logline
from tests.conftest import QmailHome
from tests.play import Played, RecordingQueue
from tests.settings_page import page
from tests.transcript import load

ROOT = Path(__file__).parent.parent


def test_every_other_code_has_its_row() -> None:
    text = (ROOT / "docs/compatibility.md").read_text().partition("\n## Other codes\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| `([a-z-]+)`", text, re.MULTILINE))

    assert rows == {expected.row for dialogue in load() for expected in dialogue.expected if expected.row}


def test_the_list_of_settings() -> None:
    """After a change: .venv/bin/python -m tests.settings_page > docs/settings.md."""
    assert (ROOT / "docs/settings.md").read_text() == page()


LOG = (ROOT / "docs/log.md").read_text()
SECTIONS = dict(re.findall(r"^## `([a-z]+)`\n(.*?)(?=^## |\Z)", LOG, re.MULTILINE | re.DOTALL))
LINES = re.findall(rf"^    ((?:{'|'.join(SECTIONS)}) .*)$", LOG, re.MULTILINE)

RULES = """\
dul                        log "listed"
bench                      accept
from-many                  quarantine
any                        log "a line of the log"
"""


def first_column(text: str) -> set[str]:
    """What stands in backticks there."""
    return set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE))))


def explained(event: str) -> set[str]:
    """The keys that the page explains for an event."""
    return first_column(SECTIONS[event])


@pytest.mark.parametrize("line", LINES)
def test_the_examples_of_the_log_are_lines_of_the_log(line: str) -> None:
    event, pairs = logline.parse(line.encode())

    assert set(pairs) <= explained(event)
    assert re.fullmatch(rb"\d{10}\.\d+", pairs["id"])


class NoQueue(RecordingQueue):
    """A queue program that is not there."""

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        raise FileNotFoundError(told, hold)


def test_every_key_of_the_log_is_explained(qmail_home: QmailHome) -> None:
    """Each kind of line is written here: a list that is down, a rule that logs, a message put aside, no queue."""
    qmail_home.write("rules", RULES)
    qmail_home.write("tags", "dul dnsbl dul.example\nbench rcpt friends")
    qmail_home.write("friends", "good@bench.test")
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("quarantineto", "postmaster@bench.test")
    qmail_home.write("dnstimeout", "0")
    said = [b"EHLO c\r\n", b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<good@bench.test>\r\n", b"RCPT TO:<you@bench.test>\r\n",
            b"DATA\r\n", b"From: a\r\nFrom: b\r\n\r\n.\r\n", b"QUIT\r\n"]
    written: dict[str, set[str]] = {}
    for queue in (RecordingQueue(), NoQueue()):
        for event, pairs in Played(qmail_home, {}, said, queue).lines:
            written.setdefault(event, set()).update(pairs)

    assert written == {event: explained(event) for event in SECTIONS}


def test_every_name_of_what_refuses_is_explained() -> None:
    """Those that are not the line of a rule."""
    names = ("policy.py", "transaction.py", "session.py", "drivers/conversation.py", "drivers/reception.py", "checks/size.py")
    sources = [ROOT / "qsmtpd" / name for name in names]
    pattern = r'(?:Verdict\([^()]*(?:\([^()]*\))?, |_break_off\(|^NAME = )"([a-z-]+)"'
    found = {name for path in sources for name in re.findall(pattern, path.read_text(), re.MULTILINE)}
    limits = [(ROOT / "qsmtpd/drivers" / name).read_text() for name in ("admission.py", "budget.py")]
    found |= {name for text in limits for name in re.findall(r'return "([a-z]+)"', text)}

    assert {"rcpthosts", "queue", "newline", "databytes"} <= found
    assert found == first_column(LOG.partition("| name |")[2].partition("\n\n")[0])
