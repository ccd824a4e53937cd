"""From .qmail files to addresses: all that qmail would deliver, and nothing that a more exact assignment hides."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.qmailsite import dot_qmail
from tools.validusers.assignments import Assignment, Users
from tools.validusers.mailboxes import Mailboxes, key
from tools.validusers.report import Report


def mailboxes(*assignments: Assignment) -> Mailboxes:
    return Mailboxes(Users(assignments), Report())


def wildcard(local: bytes, home: Path, dash: bytes = b"-", pre: bytes = b"") -> Assignment:
    return Assignment(local, True, bytes(home), dash, pre, "users/assign:1")


def simple(local: bytes, home: Path, dash: bytes = b"", ext: bytes = b"") -> Assignment:
    return Assignment(local, False, bytes(home), dash, ext, "users/assign:1")


def test_files_become_addresses(tmp_path: Path) -> None:
    dot_qmail(tmp_path, "", "-list", "-first:last", "-shop-default", "x")

    found = mailboxes(simple(b"joe", tmp_path), wildcard(b"joe-", tmp_path))

    assert set(found.exact) == {b"joe", b"joe-list", b"joe-first.last", b"joe-shop-default"}
    assert set(found.beginnings) == {b"joe-shop-"}


def test_files_that_qmail_local_never_opens(tmp_path: Path) -> None:
    dot_qmail(tmp_path, "-Upper", "-dot.ted", "-Upper-default", "-a\nb")

    found = mailboxes(wildcard(b"joe-", tmp_path))

    assert not found.exact
    assert not found.beginnings


def test_a_simple_assignment_with_a_dash_needs_its_file(tmp_path: Path) -> None:
    dot_qmail(tmp_path, "-there")

    found = mailboxes(simple(b"a", tmp_path, b"-", b"there"), simple(b"b", tmp_path, b"-", b"gone"), simple(b"c", tmp_path))

    assert set(found.exact) == {b"a", b"c"}


def test_a_more_exact_assignment_hides_a_file(tmp_path: Path) -> None:
    """joe's .qmail-ann and .qmail-ann-default do nothing when joe-ann belongs to ann."""
    (tmp_path / "ann").mkdir()
    dot_qmail(tmp_path, "-ann", "-ann-x", "-ann-default", "-default")

    found = mailboxes(wildcard(b"joe-", tmp_path), wildcard(b"joe-ann", tmp_path / "ann"))

    assert set(found.exact) == {b"joe-default"}
    assert set(found.beginnings) == {b"joe-"}


def test_pre_stands_before_the_extension(tmp_path: Path) -> None:
    dot_qmail(tmp_path, "-v.d-x".replace(".", ":"), "-other", "-v:d-y-default")

    found = mailboxes(wildcard(b"shop-", tmp_path, pre=b"v.d-"))

    assert set(found.exact) == {b"shop-x", b"shop-y-default"}
    assert set(found.beginnings) == {b"shop-y-"}


def test_a_default_file_wider_than_the_wildcard(tmp_path: Path) -> None:
    dot_qmail(tmp_path, "-default")

    assert set(mailboxes(wildcard(b"shop-", tmp_path, pre=b"v-")).beginnings) == {b"shop-"}


def test_an_empty_dash_delivers_everything(tmp_path: Path) -> None:
    assert set(mailboxes(wildcard(b"shop-", tmp_path, dash=b"")).beginnings) == {b"shop-"}


def test_what_stands_after_a_beginning(tmp_path: Path) -> None:
    """A virtual domain's part of the addresses."""
    dot_qmail(tmp_path, "-a-x", "-a-y-default", "-b", "-c-default")
    (tmp_path / "other").mkdir()
    found = mailboxes(wildcard(b"joe-", tmp_path), wildcard(b"joe-c-other-", tmp_path / "other"))

    assert [user for user, _ in found.exact_after(b"joe-a-")] == [b"x", b"y-default"]
    assert [rest for rest, _ in found.beginnings_after(b"joe-a-")] == [b"y-"]
    assert [rest for rest, _ in found.beginnings_after(b"joe-c-")] == [b""]
    assert [rest for rest, _ in found.beginnings_after(b"joe-c-z-")] == [b""]
    assert [rest for rest, _ in found.beginnings_after(b"joe-c-other-")] == []


def test_bouncing_files_are_found_once(tmp_path: Path) -> None:
    dot_qmail(tmp_path, "-gone", "-old-default", text="|bouncesaying 'Gone'\n")

    found = mailboxes(wildcard(b"joe-", tmp_path), simple(b"j", tmp_path, b"-", b"gone"))

    assert sorted(found.bouncing.first) == [b"j", b"joe-gone", b"joe-old-*"]


def test_an_unreadable_home_is_unknown_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    gone = tmp_path / "gone"
    found = Mailboxes(Users([simple(b"joe", gone), wildcard(b"joe-", gone), wildcard(b"", tmp_path)]), report)

    assert set(found.exact) == {b"joe"}
    assert found.unknown(b"joe-x")
    assert found.unknown(b"joe-default")
    assert not found.unknown(b"joe")
    assert not found.unknown(b"bill")
    assert report.finish() == 111
    assert capsys.readouterr().err.count("its extension addresses are not known") == 1


def test_keys() -> None:
    assert key(b"", b"d.test") == b"@d.test"
    assert key(b"joe-", b"d.test") == b"joe-default@d.test"
    assert key(b"joe", b"d.test") is None


WORDS = st.lists(st.sampled_from(["a", "b", "default", ""]), max_size=3).map("-".join)


@given(st.frozensets(WORDS, max_size=5), st.lists(st.tuples(st.booleans(), WORDS, st.booleans(), WORDS), max_size=4), WORDS)
def test_nothing_is_missing(tmp_path_factory: pytest.TempPathFactory, files: frozenset[str],
                            rows: list[tuple[bool, str, bool, str]], address: str) -> None:
    """An address that qmail would deliver is among those found, or has a beginning that is."""
    place = tmp_path_factory.mktemp("home")
    dot_qmail(place, *(f"-{name}" for name in files))
    found = mailboxes(*(Assignment(local.encode(), wild, bytes(place), b"-" if dash else b"", ext.encode(), "f")
                        for wild, local, dash, ext in rows))
    local = address.encode()

    accepted = local in found.exact or any(local.startswith(beginning) for beginning in found.beginnings)

    if local and found.delivered(local):
        assert accepted
    assert all(found.delivered(each) for each in found.exact)
    assert all(os.fsencode(place) == each.home for each in found.beginnings.values())
