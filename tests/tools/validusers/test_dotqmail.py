"""Which .qmail file controls an extension; each case was tried with qmail-local -n."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.qmailsite import dot_qmail
from tools.validusers import dotqmail
from tools.validusers.dotqmail import Home, home, safe_ext


def names(*files: str) -> Home:
    return Home(b"/home/joe", frozenset(file.encode() for file in files))


@pytest.mark.parametrize(("files", "ext", "found"), [
    (["-foo-bar", "-foo-default", "-default"], "foo-bar", "-foo-bar"),
    (["-foo-default", "-default"], "foo-bar", "-foo-default"),
    (["-default"], "foo-bar", "-default"),
    (["-foo-default"], "foo", None),
    (["-foo-default"], "foo-", "-foo-default"),
    (["-foo"], "foo-bar", None),
    (["-default"], "", "-default"),
    (["-foo:bar"], "foo.bar", "-foo:bar"),
    (["-foo.bar"], "foo.bar", None),
    (["-foo"], "FOO", "-foo"),
    (["-FOO"], "FOO", None),
    (["-a+default"], "a+b", None),
    (["default"], "foo", None),
    ([""], "foo", None),
])
def test_which_file(files: list[str], ext: str, found: str | None) -> None:
    """A57: an address is read here as qmail-local reads it."""
    assert names(*files).find(b"-", ext.encode()) == (found.encode() if found else None)


def test_an_address_of_a_path_finds_nothing() -> None:
    """A53: it is compared with names, and never becomes one."""
    assert names("-default-x").find(b"-", b"../../etc/passwd") is None


@given(st.binary(max_size=12), st.frozensets(st.binary(max_size=6), max_size=6))
def test_what_is_found_is_there_and_fits(ext: bytes, files: frozenset[bytes]) -> None:
    found = Home(b"/", files).find(b"-", ext)

    if found is not None:
        assert found in files
        stem = found.removesuffix(b"default") if found != b"-" + safe_ext(ext) else found
        assert (b"-" + safe_ext(ext)).startswith(stem)


@given(st.binary())
def test_only_ascii_is_folded(ext: bytes) -> None:
    """A67."""
    assert all(byte == now or (0x41 <= byte <= 0x5A and now == byte + 32) or (byte == 0x2E and now == 0x3A)
               for byte, now in zip(ext, safe_ext(ext), strict=True))


def test_only_regular_files_count(tmp_path: Path) -> None:
    """As qmail-local: links to files do, directories, dangling links and FIFOs do not."""
    dot_qmail(tmp_path, "", "-file")
    (tmp_path / ".qmail-dir").mkdir()
    (tmp_path / ".qmail-gone").symlink_to("nowhere")
    (tmp_path / ".qmail-loop").symlink_to(".qmail-loop")
    (tmp_path / ".qmail-link").symlink_to(".qmail-file")
    os.mkfifo(tmp_path / ".qmail-fifo")
    (tmp_path / ".profile").touch()

    assert home(bytes(tmp_path)).files == {b"", b"-file", b"-link"}


def test_a_file_that_cannot_be_looked_at_counts(tmp_path: Path) -> None:
    """qmail-local puts such mail off, it does not bounce it: the address is valid."""
    class Entry:
        name = b".qmail-x"

        def stat(self) -> os.stat_result:
            raise OSError(errno.EIO, "Input/output error")

    assert dotqmail._counts(Entry())  # type: ignore[arg-type]


def test_a_home_that_is_not_there_says_so(tmp_path: Path) -> None:
    found = home(bytes(tmp_path / "nowhere"))

    assert isinstance(found.error, FileNotFoundError)
    assert found.files == frozenset()


@pytest.mark.parametrize(("text", "bounces"), [
    ("|bouncesaying 'Moved away'\n", True),
    ('|/var/qmail/bin/bouncesaying "Moved away"', True),
    ("# Joe left in May\n|exit 100\n", True),
    ("|bouncesaying 'Moved away'\n./Maildir/\n", True),
    ("|bouncesaying 'Spam' grep -q viagra\n", False),
    ("|bouncesaying 'Moved away' || true\n", False),
    ("|bouncesaying 'Moved' ; exit 0\n", False),
    ("|bouncesaying 'unbalanced\n", False),
    ("./Maildir/\n|bouncesaying 'Moved away'\n", False),
    ("|exit 99\n", False),
    ("|exit 1001\n", False),
    ("exit 100\n", False),
    ("&joe@other.test\n", False),
    ("", False),
])
def test_what_surely_bounces(tmp_path: Path, text: str, bounces: bool) -> None:
    dot_qmail(tmp_path, "-x", text=text)

    assert home(bytes(tmp_path)).always_bounces(b"-x") is bounces


def test_a_file_that_is_gone_meanwhile_is_not_called_bouncing(tmp_path: Path) -> None:
    assert not home(bytes(tmp_path)).always_bounces(b"-gone")


@given(st.text(max_size=30))
def test_any_command_is_judged_without_an_exception(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    place = tmp_path_factory.getbasetemp()
    (place / ".qmail-any").write_text("|" + text, "utf-8", "surrogatepass")

    home(bytes(place)).always_bounces(b"-any")
