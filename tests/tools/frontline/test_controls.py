"""Settings that are wrong, and names that are nearly right."""

from pathlib import Path

import pytest

from qsmtpd.qmail.control import Control
from tools.frontline.controls import check, settings


@pytest.fixture
def control(tmp_path: Path) -> Control:
    (tmp_path / "me").write_text("mx.bench.test\n")
    (tmp_path / "rcpthosts").write_text("bench.test\n")
    return Control(str(tmp_path), lambda name: None)


def found(control: Control) -> list[str]:
    return [str(each).removeprefix(f"{control.directory}/") for each in check(control, frozenset(("friends",)))]


def test_nothing_is_wrong(control: Control) -> None:
    """Nor with files of other programs of the qmail world, lists of ours, and what editors leave."""
    for name in ("locals", "timeoutremote", "friends", "databytes~", ".databyte", "notes", "tarpitdelay"):
        control_file(control, name).write_text("5\n")

    assert found(control) == []


def control_file(control: Control, name: str) -> Path:
    return Path(control.path(name))


def test_settings_of_every_program_are_known() -> None:
    some = {"databytes", "qqnext", "holdqload", "dnscacheip", "store", "greylistwindow", "knowngooddays", "rcptcheck"}

    assert some <= set(settings())


@pytest.mark.parametrize("name", ["databytes", "greylistwindow", "dnstimeout", "holdqload", "storemax"])
def test_a_number_that_is_none(name: str, control: Control) -> None:
    """A59."""
    control_file(control, name).write_text("10MB\n")

    assert found(control)[0].startswith(f"{name}: error: expected a number of at most 20 digits, found 10MB; ")


@pytest.mark.parametrize(("name", "meant"), [
    ("databyte", "databytes"), ("greylistdleay", "greylistdelay"), ("rcpthost", "rcpthosts")])
def test_a_name_that_is_nearly_right(name: str, meant: str, control: Control) -> None:
    control_file(control, name).write_text("1\n")

    assert found(control) == [f"{name}: warning: nobody reads it; did you mean {meant}?  Rename it, or move it elsewhere"]


def test_one_that_cannot_be_read(control: Control) -> None:
    control_file(control, "brtlimit").mkdir()

    assert found(control)[0].startswith("brtlimit: error: Is a directory; ")


def test_nobody_to_be_and_nothing_to_take(control: Control) -> None:
    control_file(control, "me").unlink()
    control_file(control, "rcpthosts").write_text("# none\n")

    assert [each.partition(";")[0] for each in found(control)] == [
        "me: error: absent or empty: every session ends with 421",
        "rcpthosts: warning: absent or empty: mail is taken for no domain, but from RELAYCLIENT"]
