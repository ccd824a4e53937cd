"""What counts as a change of a control directory."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qsmtpd.qmail.fingerprint import fingerprint

CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda place: (place / "a").write_text("longer"),
    "written, as long as before": lambda place: (place / "a").write_text("y"),
    "replaced": lambda place: ((place / "c").write_text("x"), (place / "c").rename(place / "a")),
    "made": lambda place: (place / "c").write_text(""),
    "removed": lambda place: (place / "a").unlink(),
    "closed to others": lambda place: (place / "a").chmod(0o600),
    "its old time put back": lambda place: ((place / "a").write_text("y"), os.utime(place / "a", ns=(0, 0))),
    "what a link leads to": lambda place: (place.parent / "target").write_text("y"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    place = tmp_path / "control"
    place.mkdir()
    (place / "a").write_text("x")
    os.utime(place / "a", ns=(0, 0))
    (tmp_path / "target").write_text("x")
    (place / "link").symlink_to(tmp_path / "target")
    before = fingerprint(str(place))
    assert fingerprint(str(place)) == before
    until = os.stat(place).st_ctime_ns  # the clock that gives files their times goes on in steps
    while os.stat(place).st_ctime_ns == until:
        (place / "tick").touch()
        (place / "tick").unlink()

    change(place)
    assert fingerprint(str(place)) != before


def test_what_is_not_there(tmp_path: Path) -> None:
    assert fingerprint(str(tmp_path / "none")) == frozenset()
