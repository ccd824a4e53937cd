"""What many messages share of the settings: the same objects until a file changes, and nobody else's variables."""

import time
from pathlib import Path

import pytest

from qqshim.origin import OWNER
from qqshim.setups import DIFFERENT, Setups
from qsmtpd.qmail.control import Control, ControlError


def control(directory: Path, **variables: str) -> Control:
    return Control(str(directory), lambda name: variables[name].encode() if name in variables else None)


def test_the_same_for_the_same(tmp_path: Path) -> None:
    setups = Setups(str(tmp_path), 0.0)
    mine, other = control(tmp_path, QQTMP="/a", TCPREMOTEIP="192.0.2.7"), control(tmp_path, QQTMP="/b")
    for _ in range(2):
        setups.look()
        assert setups.setup(mine) is setups.setup(control(tmp_path, QQTMP="/a", TCPREMOTEIP="192.0.2.8"))
        assert setups.setup(mine).directory == b"/a"
        assert setups.setup(other).directory == b"/b"
    first = setups.setup(mine)
    for number in range(DIFFERENT + 1):
        assert setups.setup(control(tmp_path, QQTMP=f"/{number}")).directory == b"/%d" % number
    assert setups.setup(mine) is not first, "what is remembered is bounded"


def test_a_change_is_seen(tmp_path: Path) -> None:
    setups, mine = Setups(str(tmp_path), 0.0), control(tmp_path)
    setups.look()
    assert setups.setup(mine).asked == []
    assert setups.site(mine, carried_out=False) is None
    (tmp_path / "clamd").write_text("/socket\n")
    (tmp_path / "rules").write_text('spam header "X-Spam: yes"\n')
    setups.look()

    assert [scanner.name for scanner in setups.setup(mine).asked] == ["clamd"]
    alone, behind = (setups.site(mine, carried_out=carried_out) for carried_out in (False, True))
    assert alone is not None
    assert behind is not None
    assert (alone.fields(), behind.fields()) == ((b"X-Spam",), ())
    assert setups.site(mine, carried_out=True) is behind


def test_looks_are_not_for_each_message(tmp_path: Path) -> None:
    setups, mine = Setups(str(tmp_path), 0.3), control(tmp_path)
    setups.look()
    first = setups.setup(mine)
    (tmp_path / "clamd").write_text("/socket\n")
    setups.look()
    assert setups.setup(mine) is first
    time.sleep(0.35)
    setups.look()
    assert setups.setup(mine) is not first


def test_a_mistake_is_one_for_each_message(tmp_path: Path) -> None:
    """As in the program that reads it for one; and it ends with the mistake."""
    setups, mine = Setups(str(tmp_path), 0.0), control(tmp_path)
    (tmp_path / "clamd").write_text("somewhere\n")
    (tmp_path / "rules").write_text("spam refuze\n")
    for _ in range(2):
        setups.look()
        with pytest.raises(ControlError, match="clamd"):
            setups.setup(mine)
        with pytest.raises(ControlError, match="rules"):
            setups.site(mine, carried_out=False)
    for name in ("clamd", "rules"):
        (tmp_path / name).unlink()
    setups.look()
    assert setups.setup(mine).asked == []
    assert setups.site(mine, carried_out=False) is None


def test_trust(tmp_path: Path) -> None:
    setups = Setups(str(tmp_path), 0.0)
    assert setups.trust(control(tmp_path)) == OWNER
