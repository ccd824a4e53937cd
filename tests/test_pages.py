"""Pages that say the same as the code: compatibility.md and the corpus, settings.md and the tables, log.md and a session."""

import re
from pathlib import Path

import pytest

from qsmtpd.qmail import logline
from tests.settings_page import page
from tests.transcript import load

ROOT = Path(__file__).parent.parent


def test_every_other_code_has_its_row() -> None:
    text = (ROOT / "docs/compatibility.md").read_text()
    rows = set(re.findall(r"^\| `([a-z-]+)`", text, re.MULTILINE))

    assert rows == {expected.row for dialogue in load() for expected in dialogue.expected if expected.row}


def test_the_list_of_settings() -> None:
    """After a change: .venv/bin/python -m tests.settings_page > docs/settings.md."""
    assert (ROOT / "docs/settings.md").read_text() == page()


LINES = re.findall(r"^    ((?:rcpt|message|session) .*)$", (ROOT / "docs/log.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_the_examples_of_the_log_are_lines_of_the_log(line: str) -> None:
    event, pairs = logline.parse(line.encode())

    assert event in ("rcpt", "message", "session")
    assert f"`{event}`" in (ROOT / "docs/log.md").read_text()
    assert pairs["id"] == b"1795262400.4711"
