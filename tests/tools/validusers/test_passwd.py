"""Who is a user: the rules of qmail-getpw(8)."""

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.qmailsite import UID
from tools.validusers.assignments import Users
from tools.validusers.passwd import Account, accounts, read
from tools.validusers.report import Report, UserError


def home(path: Path, name: str, uid: int = UID) -> bytes:
    place = path / name
    place.mkdir()
    if not os.getuid():
        os.chown(place, uid, -1)
    return bytes(place)


def owner(found: list[Account], local: bytes, break_character: bytes = b"-") -> tuple[bytes, bytes, bytes] | None:
    assigned = Users(read(found, break_character, Report())).owner(local)
    return (os.path.basename(assigned[0].home), assigned[0].dash, assigned[1]) if assigned else None


@pytest.fixture
def three(tmp_path: Path) -> list[Account]:
    return [Account(name.encode(), UID, home(tmp_path, name)) for name in ("joe", "joe-smith", "alias")]


@pytest.mark.parametrize(("local", "expected"), [
    (b"joe", (b"joe", b"", b"")),
    (b"joe-x-y", (b"joe", b"-", b"x-y")),
    (b"joe-smith", (b"joe-smith", b"", b"")),
    (b"joe-smith-x", (b"joe-smith", b"-", b"x")),
    (b"joe-", (b"joe", b"-", b"")),
    (b"joex", (b"alias", b"-", b"joex")),
    (b"bill", (b"alias", b"-", b"bill")),
    (b"alias", (b"alias", b"", b"")),
    (b"alias-bill", (b"alias", b"-", b"bill")),
])
def test_the_longest_name_wins_and_alias_has_the_rest(three: list[Account], local: bytes,
                                                      expected: tuple[bytes, bytes, bytes]) -> None:
    assert owner(three, local) == expected


def test_another_break_character(three: list[Account]) -> None:
    assert owner(three, b"joe+x", b"+") == (b"joe", b"-", b"x")
    assert owner(three, b"joe-x", b"+") == (b"alias", b"-", b"joe-x")


def test_who_is_no_user(tmp_path: Path) -> None:
    """Root, a name with a capital, one of 32 characters, a home that is missing or, as root can try, somebody else's."""
    good = home(tmp_path, "good")
    found = [Account(b"root", 0, good), Account(b"Joe", UID, good), Account(b"a" * 32, UID, good), Account(b"", UID, good),
             Account(b"gone", UID, good + b"/nowhere"), Account(b"odd", UID, b"/dev/null/x"), Account(b"other", UID + 1, good),
             Account(b"a" * 31, UID, good)]

    users = [each.local for each in read(found, b"-", Report()) if not each.wildcard]

    assert users == [b"a" * 31]


def test_without_alias_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(read([], b"-", Report())) == []
    assert 'there is no account "alias"' in capsys.readouterr().err


def test_a_home_that_cannot_be_looked_at_is_taken_for_a_users(three: list[Account], monkeypatch: pytest.MonkeyPatch,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    def denied(path: bytes) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", denied)
    report = Report()

    assert len(list(read(three, b"-", report))) == 7
    assert report.finish() == 111
    assert "the home of joe cannot be looked at" in capsys.readouterr().err


def test_the_accounts_of_the_system() -> None:
    entry = pwd.getpwall()[-1]

    assert Account(entry.pw_name.encode(), entry.pw_uid, entry.pw_dir.encode()) in accounts(None)


@given(st.lists(st.tuples(st.from_regex(rb"[a-z0-9._-]{1,10}", fullmatch=True), st.integers(0, 2**32 - 1))))
def test_a_file_in_passwd_form(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[bytes, int]]) -> None:
    path = tmp_path_factory.getbasetemp() / "passwd"
    path.write_bytes(b"".join(b"%b:x:%d:1:J\xf6:/home/%b:\n" % (name, uid, name) for name, uid in rows))

    assert accounts(path) == [Account(name, uid, b"/home/" + name) for name, uid in rows]


@pytest.mark.parametrize("line", ["joe", "joe:x:a:1::/home:", "joe:x:1:1::/home", "joe:x::1::/home:", "joe:x:1:1::/home::"])
def test_a_wrong_line_says_where(tmp_path: Path, line: str) -> None:
    (tmp_path / "passwd").write_text(f"good:x:1:1::/home:\n{line}\n")

    with pytest.raises(UserError, match="passwd:2: expected the seven fields"):
        accounts(tmp_path / "passwd")
