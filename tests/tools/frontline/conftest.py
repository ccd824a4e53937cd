"""What the tests of "frontline" share: the program on a throw-away QMAILHOME."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import QmailHome
from tests.play import environment
from tools.frontline.main import main


class Said(NamedTuple):
    """What the program came to."""

    code: int
    out: str
    err: str


Frontline = Callable[..., Said]


@pytest.fixture
def frontline(qmail_home: QmailHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Frontline:
    """Runs it in this process."""
    monkeypatch.chdir(qmail_home.path)

    def run(*arguments: str | Path) -> Said:
        with environment({"QMAILHOME": bytes(qmail_home.path)}):
            try:
                code = main([str(word) for word in arguments])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else -1
        return Said(code, *capsys.readouterr())

    return run
