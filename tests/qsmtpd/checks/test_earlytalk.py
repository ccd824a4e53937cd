"""Who speaks before the greeting."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.earlytalk import configured, greetdelay
from qsmtpd.qmail.control import Control, ControlError
from tests.qsmtpd.checks.site import ask, site
from tests.qsmtpd.world import DictLookups, mail

VARIABLES = ("GREETDELAY", "SMTPD_GREETDELAY", "DROP_PRE_GREET")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("line", "waited"), [(b"5\n", [5]), (b"-5\n", [5]), (b"0\n", []), (b"", []), (b"-0\n", [])])
@pytest.mark.parametrize("spoken", [True, False])
def test_earlytalk(tmp_path: Path, line: bytes, waited: list[int], spoken: bool) -> None:
    """A18: who was not waited for was not early."""
    lookups = DictLookups(spoken=spoken)
    known = mail()

    assert ask(configured(site(tmp_path, greetdelay=line)), known, lookups, "earlytalk") is (spoken and waited != [])
    assert lookups.waited == waited
    assert ("earlytalk" in known.reasons) == (spoken and waited != [])


@pytest.mark.parametrize(("variables", "seconds"), [
    ({}, 7), ({"GREETDELAY": "-30"}, -30), ({"SMTPD_GREETDELAY": "5"}, 7), ({"GREETDELAY": "0"}, 0),
    ({"DROP_PRE_GREET": "1"}, 7)])
def test_one_setting_wins(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], seconds: int) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert greetdelay(site(tmp_path, greetdelay=b"7\n").control) == seconds


@pytest.mark.parametrize(("variables", "seconds"), [
    ({}, 0), ({"SMTPD_GREETDELAY": "5"}, 5), ({"SMTPD_GREETDELAY": "5", "DROP_PRE_GREET": "1"}, -5),
    ({"DROP_PRE_GREET": "1"}, 0)])
def test_the_names_of_another_qmail(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], seconds: int) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert greetdelay(Control(str(tmp_path))) == seconds


@pytest.mark.parametrize("line", [b"soon\n", b"--5\n", b"5s\n", b"271\n", b"-1000\n", b"-\n"])
def test_wrong(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(ControlError, match="greetdelay"):
        configured(site(tmp_path, greetdelay=line))


@given(st.binary(max_size=12))
def test_no_line_makes_it_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, line: bytes) -> None:
    try:
        seconds = greetdelay(site(tmp_path_factory.mktemp("control"), greetdelay=line).control)
    except ControlError:
        return

    assert -270 <= seconds <= 270
