"""users/assign as qmail-newu reads it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.validusers import assign
from tools.validusers.assignments import Assignment
from tools.validusers.report import Report, UserError

GOOD = b"=joe.shmoe:joe:503:78:/home/joe:::\n+Joe-:joe:507:100:/home/joe:-:pre:\n.\n"


def test_the_examples_of_the_manual() -> None:
    assert assign.parse(GOOD, "assign") == [
        Assignment(b"joe.shmoe", False, b"/home/joe", b"", b"", "assign:1"),
        Assignment(b"joe-", True, b"/home/joe", b"-", b"pre", "assign:2")]


def test_what_follows_the_dot_or_the_seventh_colon_is_nothing() -> None:
    text = b"=a:u:1:1:/h:-:e:anything: at all\n.\nrubbish\n"

    assert assign.parse(text, "f") == [Assignment(b"a", False, b"/h", b"-", b"e", "f:1")]


def test_any_first_character_but_plus_is_an_equals_sign() -> None:
    """As in qmail-newu, which has no comments."""
    assert assign.parse(b"#a:u:1:1:/h:-:e:\n.", "f")[0] == Assignment(b"a", False, b"/h", b"-", b"e", "f:1")


@pytest.mark.parametrize(("text", "where"), [
    (b"=joe:joe:1:1:/home/joe::\n.\n", "f:1: expected =local:user:uid:gid:home:dash:ext: with its 7 colons"),
    (GOOD[:-2] + b"\n.\n", "f:3: expected =local"),
    (b":u:1:1:/h:-:e:\n.\n", "f:1: expected =local"),
    (b"=a:u:1:1:/h\0:-:e:\n.\n", "f:1: expected =local"),
    (GOOD[:-2], 'f: expected a line with a single "." at the end'),
    (b"", 'f: expected a line with a single "."'),
])
def test_what_qmail_newu_refuses_says_where_and_what(text: bytes, where: str) -> None:
    with pytest.raises(UserError) as error:
        assign.parse(text, "f")

    assert str(error.value).startswith(where)
    assert "qmail-newu refuses this file" in str(error.value)


WORD = st.binary(max_size=6).map(lambda word: word.translate(None, b":\n\0"))


@given(st.lists(st.tuples(st.sampled_from([b"=", b"+"]), *[WORD] * 7)))
def test_every_well_formed_file_is_read_back(rows: list[tuple[bytes, ...]]) -> None:
    text = b"".join(kind + b":".join(fields) + b":\n" for kind, *fields in rows) + b".\n"

    found = assign.parse(text, "f")

    assert [(each.local, each.wildcard, each.home, each.dash, each.ext) for each in found] == [
        (local.lower(), kind == b"+", home, dash, ext) for kind, local, _, _, _, home, dash, ext in rows]


@given(st.binary())
def test_no_text_but_a_user_error_comes_out(text: bytes) -> None:
    try:
        assign.parse(text, "f")
    except UserError:
        pass


def test_an_absent_file_is_no_assignment(tmp_path: Path) -> None:
    assert assign.read(tmp_path / "assign", Report()) == []


def test_a_file_that_qmail_newu_has_not_seen_has_no_effect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "assign").write_bytes(GOOD)

    assert assign.read(tmp_path / "assign", Report()) == []
    assert "is passed over" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cdb", "assign.cdb"])
def test_a_newer_file_is_used_and_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """qmail's users/cdb and s/qmail's users/assign.cdb."""
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (1, 1))
    (tmp_path / "assign").write_bytes(GOOD)

    assert len(assign.read(tmp_path / "assign", Report())) == 2
    assert f"is newer than {tmp_path}/{name}: run qmail-newu" in capsys.readouterr().err
