"""Lists, line by line."""

from pathlib import Path

import pytest

from qsmtpd.listfiles import parsed
from qsmtpd.qmail.control import Control, ControlError


def test_each_line_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"# numbers\n1\n\n2 \t\n3")

    assert parsed(Control(str(tmp_path)), "list", int) == [1, 2, 3]


def test_an_absent_file_is_no_list(tmp_path: Path) -> None:
    assert parsed(Control(str(tmp_path)), "list", int) is None


def test_the_wrong_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"# numbers\n1\n\nx \n3\nx\n")

    def number(line: bytes) -> int:
        if not line.isdigit():
            raise ValueError("expected a number")
        return int(line)

    with pytest.raises(ControlError, match=r"/list: line 4: expected a number$"):
        parsed(Control(str(tmp_path)), "list", number)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()

    with pytest.raises(ControlError):
        parsed(Control(str(tmp_path)), "list", int)
