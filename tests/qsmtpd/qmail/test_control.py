"""Control files: the defaults of control.c, and an error, never a default, for what is there and cannot be read."""

import errno
import os
from pathlib import Path

import pytest

from qsmtpd.qmail import control
from qsmtpd.qmail.control import Control, ControlError, digits


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def test_absent_is_a_default_not_an_error(directory: Path) -> None:
    files = Control(str(directory))

    assert files.read("me") is None
    assert files.line("me") is None
    assert files.integer("databytes") is None
    assert files.lines("rcpthosts") is None


def test_a_directory_that_is_absent_is_a_default_too(directory: Path) -> None:
    assert Control(str(directory / "nowhere")).line("me") is None


def test_who_has_taken_stock_tries_no_file_that_was_not_there(directory: Path) -> None:
    """Whoever takes stock lives for one session, and what is there may still be replaced."""
    (directory / "me").write_text("a.test")
    (directory / "lists").mkdir()
    (directory / "lists/friends").write_text("b.test")
    files = Control(str(directory))

    files.take_stock()
    (directory / "me").write_text("c.test")
    (directory / "late").write_text("x")

    assert (files.line("me"), files.line("late"), files.line("lists/friends")) == (b"c.test", None, b"b.test")


def test_a_directory_that_cannot_be_listed_is_read_file_by_file(directory: Path) -> None:
    files = Control(str(directory / "later"))

    files.take_stock()
    (directory / "later").mkdir()
    (directory / "later/me").write_text("a.test")

    assert files.line("me") == b"a.test"


@pytest.mark.parametrize(("text", "line"), [
    (b"", b""),
    (b"mx.example.org", b"mx.example.org"),
    (b"mx.example.org\n", b"mx.example.org"),
    (b"mx.example.org \t \nsecond\n", b"mx.example.org"),
    (b"\nsecond\n", b""),
    (b" leading stays\n", b" leading stays"),
    (b"cr stays\r\n", b"cr stays\r"),
    (b"# no comment here\n", b"# no comment here"),
    (b"\x85\x0b\x0c8-bit\xff\n", b"\x85\x0b\x0c8-bit\xff"),
])
def test_the_first_line(directory: Path, text: bytes, line: bytes) -> None:
    (directory / "me").write_bytes(text)

    assert line == Control(str(directory)).line("me")


def test_lines_without_comments_and_blanks(directory: Path) -> None:
    (directory / "rcpthosts").write_bytes(b"# comment\none \t\n\n \t\n #kept\n.two\x0b\x1c\nlast without end")

    assert Control(str(directory)).lines("rcpthosts") == [b"one", b" #kept", b".two\x0b\x1c", b"last without end"]


def test_an_empty_file_has_no_lines(directory: Path) -> None:
    (directory / "rcpthosts").write_bytes(b"")

    assert Control(str(directory)).lines("rcpthosts") == []


@pytest.mark.parametrize(("text", "number"), [
    (b"0", 0), (b"1200\n", 1200), (b"007 \n", 7), (b"9" * 18, 10**18 - 1), (b"18446744073709551615", 2**63 - 1),
    (b"", None), (b"\n5\n", None)])
def test_numbers(directory: Path, text: bytes, number: int | None) -> None:
    """An empty line is a default, as control_readint() has it."""
    (directory / "databytes").write_bytes(text)

    assert number == Control(str(directory)).integer("databytes")


HOSTILE_NUMBERS = [
    b"1_000", b"-1", b"+5", b" 5", b"5x", b"0x10", b"1e3", b"1.0", "\u0663".encode(), "\u00b2".encode("latin-1"), b"9" * 21,
    b"9" * 400, b"9" * 4301, b"\x1b[2J"]


@pytest.mark.parametrize("text", HOSTILE_NUMBERS)
def test_hostile_numbers(directory: Path, text: bytes) -> None:
    """A59: ASCII digits, at most 20 of them; else an error that names the file, never a ValueError upward."""
    (directory / "databytes").write_bytes(text + b"\n")

    with pytest.raises(ControlError, match=r"/databytes: expected a number") as caught:
        Control(str(directory)).integer("databytes")
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [b"", *HOSTILE_NUMBERS])
def test_digits_says_what_it_expected(text: bytes) -> None:
    """A59."""
    with pytest.raises(ValueError, match="expected a number of at most 20 digits"):
        digits(text)


def test_a_directory_in_its_place(directory: Path) -> None:
    (directory / "rcpthosts").mkdir()

    with pytest.raises(ControlError, match=r"/rcpthosts: Is a directory"):
        Control(str(directory)).lines("rcpthosts")


def test_a_symbolic_link_in_a_circle(directory: Path) -> None:
    (directory / "rcpthosts").symlink_to("rcpthosts")

    with pytest.raises(ControlError, match="Too many levels"):
        Control(str(directory)).lines("rcpthosts")


def test_a_fifo_does_not_stand_still(directory: Path) -> None:
    os.mkfifo(directory / "me")

    assert Control(str(directory)).line("me") == b""


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE, errno.ENOTDIR, errno.ESTALE])
def test_unreadable(directory: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A fault of ours never opens a relay: absent is ENOENT and nothing else."""
    def fail(path: str) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(control, "_open_read", fail)

    for read in (Control(str(directory)).lines, Control(str(directory)).line, Control(str(directory)).integer):
        with pytest.raises(ControlError, match=f"/rcpthosts: {os.strerror(number)}"):
            read("rcpthosts")


def test_an_error_of_the_disk_while_reading() -> None:
    """/proc/self/mem opens, and its first byte reads as EIO."""
    with pytest.raises(ControlError, match="/proc/self/mem: Input/output error"):
        Control("/proc/self").line("mem")


def test_nul_ends_a_line_for_qmail_and_is_an_error_for_us(directory: Path) -> None:
    """A50: what a C program and we would read differently is not read at all."""
    (directory / "rcpthosts").write_bytes(b"example.org\0.example.com\n")
    files = Control(str(directory))

    for read in (files.line, files.lines, files.integer):
        with pytest.raises(ControlError, match="NUL"):
            read("rcpthosts")
    assert files.read("rcpthosts") == b"example.org\0.example.com\n"


def test_an_error_can_be_shown(tmp_path: Path) -> None:
    """A43: a path is whatever CONTROLDIR says."""
    odd = tmp_path / "\x1b[2J\udcff\n"
    (odd / "me").mkdir(parents=True)

    with pytest.raises(ControlError) as caught:
        Control(str(odd)).line("me")
    assert str(caught.value).endswith(r'/\x1b[2J\xff\x0a/me": Is a directory')
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
