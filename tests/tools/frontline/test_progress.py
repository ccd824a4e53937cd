"""The bar is for terminals alone, and is gone at the end."""

import os
import pty
import sys
from pathlib import Path

import pytest

from tools.frontline.progress import CLEAR, Bar


def test_no_bar_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with Bar("work") as bar:
        bar.show(1, 2)

    assert capfd.readouterr() == ("", "")


def shown(total: int, monkeypatch: pytest.MonkeyPatch) -> str:
    main, other = pty.openpty()
    with os.fdopen(other, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with Bar("work") as bar:
            bar.show(500_000, total)
            bar.show(600_000, total)
        text = ""
        while text.count(CLEAR) < 2:
            text += os.read(main, 4096).decode()
    os.close(main)
    return text


def test_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes too soon to be shown."""
    assert shown(1_000_000, monkeypatch) == f"{CLEAR}work: [{'=' * 15}{' ' * 15}] 50 %{CLEAR}"


def test_without_an_end_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(0, monkeypatch) == f"{CLEAR}work: 500,000 bytes{CLEAR}"
    assert not Path("work").exists()
