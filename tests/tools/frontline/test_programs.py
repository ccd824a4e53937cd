"""Programs that are named: there, and executable."""

from pathlib import Path

import pytest

from tests.conftest import let_others_in
from tools.frontline.programs import check, is_shim
from tools.frontline.rights import User


def test_one_that_is_not_there(tmp_path: Path) -> None:
    home = str(tmp_path)

    assert [str(each) for each in check("control/qqnext", "bin/none", home, None)] == [
        f"control/qqnext: error: names {home}/bin/none, which is not there; install it, or name another"]
    assert [str(each) for each in check(None, "bin/qmail-queue", home, None)] == [
        f"{home}/bin/qmail-queue: error: the queue program is not there; install it, or name another"]


def test_one_that_is(tmp_path: Path) -> None:
    assert list(check("x", "/bin/true", str(tmp_path), None)) == []


@pytest.mark.root
def test_one_that_the_sessions_may_not_start(accounts: None, tmp_path: Path) -> None:
    let_others_in(tmp_path)
    (tmp_path / "queue").touch(mode=0o644)

    found = [str(each) for each in check("x", str(tmp_path / "queue"), "/", User("qmaild"))]

    assert found == [f"x: error: names {tmp_path}/queue, which qmaild may not execute; chmod 755"]


def test_who_is_qqshim(tmp_path: Path) -> None:
    (tmp_path / "qqshim").touch()
    (tmp_path / "qmail-queue").symlink_to("qqshim")

    assert is_shim("/usr/local/frontline/bin/qqshim")
    assert is_shim("/usr/local/frontline/bin/handoff-qqshim")
    assert is_shim(str(tmp_path / "qmail-queue"))
    assert not is_shim("/var/qmail/bin/qmail-queue")
