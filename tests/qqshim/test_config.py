"""Settings, and the key of the certificates."""

import os
from pathlib import Path

import pytest

from qqshim import config
from qqshim.origin import ACCOUNT_FILE
from qsmtpd.qmail.control import Control, ControlError

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(str(tmp_path))


def write(control: Control, name: str, text: str, mode: int = 0o640) -> None:
    path = Path(control.path(name))
    path.write_text(text)
    path.chmod(mode)


def test_defaults(control: Control) -> None:
    values = config.settings(control)

    assert config.next_program(values) == "/var/qmail/bin/qmail-queue"
    assert (values.text("clamdfail"), values.text("spamdfail")) == (b"defer", b"pass")
    assert config.reject_score(values) is None
    assert config.spool_directory(values) == b"/var/tmp"


def test_the_next_program(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QMAILHOME", "/home/qmail")
    assert config.next_program(config.settings(control)) == "/home/qmail/bin/qmail-queue"
    write(control, "qqnext", "/usr/local/frontline/bin/holdq-queue\n")
    assert config.next_program(config.settings(control)) == "/usr/local/frontline/bin/holdq-queue"
    monkeypatch.setenv("QQNEXT", "bin/other")
    assert config.next_program(config.settings(control)) == "bin/other"


def test_the_program_that_holds(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.hold_program(config.settings(control)) == "/var/qmail/bin/holdq-queue"
    monkeypatch.setenv("QMAILHOME", "/home/qmail")
    write(control, "holdqueue", "bin/hold\n")
    assert config.hold_program(config.settings(control)) == "/home/qmail/bin/hold"
    write(control, "holdqueue", "/usr/local/frontline/bin/holdq-queue\n")
    assert config.hold_program(config.settings(control)) == "/usr/local/frontline/bin/holdq-queue"


def test_the_address_for_what_is_put_aside(control: Control) -> None:
    """One that no envelope takes would be a refusal for ever (exit code 11), and the fault is ours."""
    assert config.quarantine(config.settings(control)) is None
    write(control, "quarantineto", "aside@bench.test\n")
    assert config.quarantine(config.settings(control)) == b"aside@bench.test"
    write(control, "quarantineto", "x" * 1003)
    with pytest.raises(ControlError, match="quarantineto: longer"):
        config.quarantine(config.settings(control))


@pytest.mark.parametrize(("text", "score"), [("12", 12.0), ("7.5", 7.5), ("0", None), ("0.0", None), ("", None), ("-1", -1.0)])
def test_the_score_that_refuses(control: Control, text: str, score: float | None) -> None:
    write(control, "spamreject", f"{text}\n")

    assert config.reject_score(config.settings(control)) == score


@pytest.mark.parametrize("text", ["high", "7,5", "1e9", "nan", "7.5 # points"])
def test_no_score(control: Control, text: str) -> None:
    write(control, "spamreject", text)
    with pytest.raises(ControlError, match="spamreject: expected a score"):
        config.reject_score(config.settings(control))


@pytest.mark.parametrize(("name", "text"), [
    ("clamdfail", "hold"), ("spamdfail", ""), ("clamdtimeout", "1m"), ("spamdmaxsize", "-1")])
def test_wrong_settings(control: Control, name: str, text: str) -> None:
    write(control, name, f"{text}\n")
    with pytest.raises(ControlError, match=name):
        config.settings(control)


def test_key(control: Control) -> None:
    assert config.verdict_key(control) == (None, "")
    write(control, "verdictkey", f"{KEY} \nnot this\n")
    assert config.verdict_key(control) == (KEY.encode(), "")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o642, 0o641])
def test_a_key_that_is_open_to_the_world_signs_nothing(control: Control, mode: int) -> None:
    """A133."""
    write(control, "verdictkey", KEY, mode)
    key, complaint = config.verdict_key(control)

    assert key is None
    assert "open to the world" in complaint


@pytest.mark.parametrize("text", ["", "short\n", f"\n{KEY}\n"])
def test_a_key_that_can_be_guessed_signs_nothing(control: Control, text: str) -> None:
    write(control, "verdictkey", text)
    key, complaint = config.verdict_key(control)

    assert key is None
    assert "shorter than" in complaint


def test_a_key_that_is_not_for_us(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users' mail goes unsigned, and that is no fault."""
    def forbidden(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    write(control, "verdictkey", KEY)
    monkeypatch.setattr(os, "open", forbidden)

    assert config.verdict_key(control) == (None, "")


def test_a_key_that_cannot_be_read(control: Control) -> None:
    os.mkdir(control.path("verdictkey"), 0o700)
    with pytest.raises(ControlError, match="Is a directory"):
        config.verdict_key(control)


MANUAL = Path(__file__).parent.parent.parent / "man/qqshim.8"


def test_the_manual_has_every_setting() -> None:
    page = MANUAL.read_text()

    for setting in config.SETTINGS:
        assert f"\n.It Pa {setting.name} , Ev {setting.name.upper()}\n{setting.meaning}\n" in page
    for name in (config.KEY_FILE, ACCOUNT_FILE, "QQTAGS", "ERROR_FD", "QQREPLY", "QMAILHOME", "CONTROLDIR", "RELAYCLIENT",
                 "TCPREMOTEIP"):
        assert name in page
