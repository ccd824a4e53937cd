"""Files that are elsewhere, and all others where they are."""

from pathlib import Path

import pytest

from qsmtpd.qmail.control import ControlError
from tools.frontline.othercontrol import OtherControl


def test_a_file_that_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "rules").write_bytes(b"any refuse\n")
    (tmp_path / "tags").write_bytes(b"a env A\n")
    (tmp_path / "new").write_bytes(b"any accept\n")
    control = OtherControl(str(tmp_path), rules=str(tmp_path / "new"), tags=None)

    assert [control.read(name) for name in ("rules", "tags", "me")] == [b"any accept\n", b"a env A\n", None]


def test_an_error_names_the_file_that_was_read(tmp_path: Path) -> None:
    control = OtherControl(str(tmp_path), rules=str(tmp_path))

    with pytest.raises(ControlError, match=f"^{tmp_path}: Is a directory"):
        control.read("rules")
