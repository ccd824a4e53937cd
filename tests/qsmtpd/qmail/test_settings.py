"""Settings: the environment before the control file before the default, and nothing that is not of its kind."""

from pathlib import Path

import pytest

from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.settings import Setting, Settings

TABLE = (
    Setting("databytes", 0, "The largest message in bytes, 0 for any."),
    Setting("timeoutsmtpd", 1200, "Seconds to wait for the client."),
    Setting("smtpgreeting", None, "The first word of the greeting."),
    Setting("spamd", b"127.0.0.1:783", "Where spamd listens."),
    Setting("bouncegate", b"pass", "What becomes of doubtful bounces.", words=(b"pass", b"hold")),
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in TABLE:
        monkeypatch.delenv(setting.name.upper(), raising=False)


def read(directory: Path) -> Settings:
    return Settings(TABLE, Control(str(directory)))


def test_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path)

    assert settings.number("databytes") == 0
    assert settings.number("timeoutsmtpd") == 1200
    assert settings.text("smtpgreeting") is None
    assert settings.text("spamd") == b"127.0.0.1:783"


def test_control_file_wins_over_default(tmp_path: Path) -> None:
    (tmp_path / "databytes").write_bytes(b"1000 \n")
    (tmp_path / "bouncegate").write_bytes(b"hold\n")

    assert read(tmp_path).number("databytes") == 1000
    assert read(tmp_path).text("bouncegate") == b"hold"


def test_environment_wins_over_control_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "databytes").write_bytes(b"1000\n")
    (tmp_path / "spamd").write_bytes(b"192.0.2.1:783\n")
    monkeypatch.setenv("DATABYTES", "2000")
    monkeypatch.setenv("SPAMD", "")

    assert read(tmp_path).number("databytes") == 2000
    assert read(tmp_path).text("spamd") == b""


def test_environment_spares_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "databytes").mkdir()
    monkeypatch.setenv("DATABYTES", "2000")

    assert read(tmp_path).number("databytes") == 2000


def test_an_empty_file_of_a_number_is_its_default(tmp_path: Path) -> None:
    """As qmail's control_readint()."""
    (tmp_path / "timeoutsmtpd").write_bytes(b"\n")

    assert read(tmp_path).number("timeoutsmtpd") == 1200


@pytest.mark.parametrize("value", ["1_000", "-1", "+5", "٣", "1 0", "9" * 400, "9" * 4301])
def test_hostile_numbers_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A59."""
    monkeypatch.setenv("DATABYTES", value)

    with pytest.raises(ControlError, match=r"^\$DATABYTES: expected a number"):
        read(tmp_path)


@pytest.mark.parametrize(("value", "number"), [("", 0), (" ", 0), ("1000 ", 1000), ("18446744073709551615", 2**63 - 1)])
def test_numbers_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, number: int) -> None:
    """A33: what a tcp.smtp may hold: nothing, a blank, the largest there is."""
    monkeypatch.setenv("DATABYTES", value)

    assert read(tmp_path).number("databytes") == number


def test_hostile_number_in_a_file(tmp_path: Path) -> None:
    """A59."""
    (tmp_path / "databytes").write_bytes(b"1_000\n")

    with pytest.raises(ControlError, match=r"/databytes: expected a number of at most 20 digits, found 1_000$"):
        read(tmp_path)


def test_a_word_that_is_not_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bouncegate").write_bytes(b"\x1b[2Jhodl\n")
    with pytest.raises(ControlError, match=r'/bouncegate: expected one of pass, hold, found "\\x1b\[2Jhodl"$'):
        read(tmp_path)

    monkeypatch.setenv("BOUNCEGATE", "Pass")
    with pytest.raises(ControlError, match=r"^\$BOUNCEGATE: expected one of"):
        read(tmp_path)


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "smtpgreeting").mkdir()

    with pytest.raises(ControlError, match="Is a directory"):
        read(tmp_path)
