"""The line that says how far we are: on a terminal, and nowhere else."""

import os
import pty
import sys

import pytest

from tools.validusers import progress


def test_no_terminal_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [b"a", b"b"]

    assert progress.counted(keys, "list") is keys
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_numbers_and_then_a_clean_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 10)
    monkeypatch.setattr(progress, "SECONDS", 0)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        keys = [b"%d" % number for number in range(25)]

        assert list(progress.counted(keys, "list")) == keys

        monkeypatch.undo()
        shown = ""
        while shown.count(progress.CLEAR) < 3:
            shown += os.read(master, 4096).decode()
    os.close(master)
    assert "validusers: list: 10 (" in shown
    assert "validusers: list: 20 (" in shown
    assert shown.endswith(progress.CLEAR)
