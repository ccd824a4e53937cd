"""What we read in tcp.smtp.cdb, against tcprulescheck (ucspi-tcp 0.88)."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.test_tcprules import HOSTS, IP, RULE, checked, compiled
from tools.command import MistakeError
from tools.frontline.tcpcdb import Found, look_up


def as_checked(found: Found) -> bytes:
    """As tcprulescheck prints it."""
    head = b"default:\n" if found.rule is None else b"rule %b:\n" % found.rule
    if not found.allow:
        return head + b"deny connection\n"
    lines = [b"set environment variable %b=%b\n" % (name.encode(), value) for name, value in found.variables.items()]
    return head + b"".join(lines) + b"allow connection\n"


@settings(max_examples=150, deadline=None)
@given(st.lists(RULE, max_size=12), IP, st.one_of(st.none(), HOSTS))
def test_as_tcprulescheck_reads_it(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ip: bytes,
                                   host: bytes | None) -> None:
    """Exact address first, then its prefixes, then names; deny; values with anything in them."""
    directory = tmp_path_factory.getbasetemp()
    if compiled(directory, b"".join(line + b"\n" for line in lines)) != 0:
        return

    assert as_checked(look_up(str(directory / "cdb"), ip, host)) == checked(directory, ip, host)


@pytest.mark.parametrize("damage", [b"", b"no cdb", b"\xff" * 3000])
def test_what_is_no_cdb(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "cdb").write_bytes(damage)

    with pytest.raises(MistakeError, match="expected a cdb"):
        look_up(str(tmp_path / "cdb"), b"192.0.2.7")


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look_up(str(tmp_path / "cdb"), b"192.0.2.7")
