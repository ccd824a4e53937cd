"""Plain lists: what is an address, what is told, what rcpthosts leaves."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.validusers.domains import RcptHosts
from tools.validusers.lists import ADDRESS_MAX, List
from tools.validusers.report import Report

HOSTS = RcptHosts([b"b.test", b".wild.test"])


def keys(path: Path, text: bytes, report: Report | None = None) -> list[bytes]:
    path.write_bytes(text)
    return list(List(path, HOSTS, report or Report()).source().keys)


def test_the_lines_of_a_list(tmp_path: Path) -> None:
    text = (b"# staff\n\njoe@b.test\nJOE-default@B.test \t\r\n@b.test\n#old@b.test\nx@a.wild.test\n\xc3\x89@b.test\n"
            b"o'neil+tag=1/2@b.test\nlast@b.test")

    assert keys(tmp_path / "list", text) == [
        b"joe@b.test", b"joe-default@b.test", b"@b.test", b"x@a.wild.test", b"\xc3\x89@b.test", b"o'neil+tag=1/2@b.test",
        b"last@b.test"]


def test_only_ascii_is_folded(tmp_path: Path) -> None:
    """A67: a Kelvin sign is no k, and a dotted capital I no i."""
    text = "\u212a@b.test\n\u0130@b.test\nKELVIN@b.test\n".encode()

    assert keys(tmp_path / "list", text) == ["\u212a@b.test".encode(), "\u0130@b.test".encode(), b"kelvin@b.test"]


@pytest.mark.parametrize("line", [
    b"joe", b"joe@", b"@", b"joe smith@b.test", b"Joe <joe@b.test>", b"joe@b.test,ann@b.test", b'"a b"@b.test', b"joe@b..test",
    b"joe@.b.test", b"joe@b.test.", b"joe@b/test", b"a\x00b@b.test", b"joe@b.test # Joe", b"x" * ADDRESS_MAX + b"@b.test"])
@pytest.mark.parametrize("before", [b"", b"good@b.test\n"])
def test_what_is_no_address_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes,
                                                 before: bytes) -> None:
    """A66: also when the domain was seen before, which is the quick way through."""
    report = Report()

    assert keys(tmp_path / "list", before + line + b"\n", report) == before.split()
    assert report.finish() == 100
    number = 2 if before else 1
    assert f"list:{number}: left out: expected user@domain, @domain or a comment" in capsys.readouterr().err


def test_many_mistakes_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    keys(tmp_path / "list", b"wrong\n" * 1000 + b"good@b.test\n", report)
    report.finish()

    err = capsys.readouterr().err
    assert err.count("\n") == 21
    assert err.endswith(f"... and 980 more such lines in {tmp_path}/list\n")


def test_domains_that_are_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()

    assert keys(tmp_path / "list", b"a@c.test\nb@c.test\nc@wild.test\nd@b.test\n", report) == [b"d@b.test"]
    assert report.finish() == 0
    assert "lines left out: 3; their mail is refused anyway, for control/rcpthosts does not have c.test, wild.test" in (
        capsys.readouterr().err)


@pytest.mark.parametrize("text", [b"", b"# joe@b.test\n", b"joe@other.test\n"])
def test_a_list_without_an_address_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes) -> None:
    assert keys(tmp_path / "list", text) == []
    assert f"{tmp_path}/list: there is no address in it that could be accepted" in capsys.readouterr().err


def test_the_domains_of_a_list_are_known_afterwards(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"joe@b.test\n@x.wild.test\nno@other.test\n")
    found = List(tmp_path / "list", HOSTS, Report())
    assert found.domains == set()

    list(found.source().keys)

    assert found.domains == {b"b.test", b"x.wild.test"}


@given(st.lists(st.binary(max_size=30)))
def test_any_bytes_give_keys_that_can_be_keys(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "list"

    for key in keys(path, b"\n".join(lines)):
        _, at, domain = key.rpartition(b"@")
        assert at
        assert HOSTS.allows(domain)
        assert key == key.lower()
        assert not set(key) & set(b"\n\0 ,<>")
