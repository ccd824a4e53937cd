"""clamd: clean only when every byte of its answer says so."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim import config
from qqshim.connection import Connection
from qqshim.scanners.base import Finding, ScannerError
from qqshim.scanners.clamd import Clamd, parse
from qqshim.spool import Spool
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules.atonce import complete
from tests.scanners import EICAR, Scanner, lying, read_instream

Make = Callable[..., Clamd]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A Clamd with these settings."""
    def with_settings(**settings: str) -> Clamd:
        for name, text in settings.items():
            monkeypatch.setenv(name.upper(), text)
        return Clamd(config.settings(Control(str(tmp_path))))

    return with_settings


def asked(scanner: Clamd, message: bytes) -> Finding:
    """What it finds in a message."""
    spool = Spool(b"/var/tmp")
    spool.write(message)
    return complete(scanner(spool, Connection))


def test_answers() -> None:
    assert parse(b"stream: OK\0", whole=True) is None
    for name in (b"Eicar-Test.UNOFFICIAL", b"Eicar(44d88612fea8a8f36de82e1278abb02f:68)"):
        assert parse(b"stream: " + name + b" FOUND\0", whole=True) == name


@pytest.mark.parametrize("answer", [
    b"", b"\0", b"stream: OK", b"stream: OK\n", b"stream: OK\0\0", b"stream: OK\0stream: X FOUND\0", b" stream: OK\0",
    b"STREAM: OK\0", b"stream: ok\0", b"stream:OK\0", b"stream: \0", b"stream:  FOUND\0", b"stream: FOUND\0", b"FOUND\0",
    b"stream: a FOUND.exe: OK\0", b"/tmp/Eicar FOUND: OK\0", b"stream: two words FOUND\0", b"stream: X\r\n FOUND\0",
    b"stream: \xff\xfe FOUND\0", b"stream: " + b"X" * 300 + b" FOUND\0", b"UNKNOWN COMMAND\0",
    b"stream: Can't open file ERROR\0", b"stream: X FOUND", b"stream: X FOU", b"stream: X FOUND ERROR\0",
    b"\x15\x03\x01\0\x02\x02\x50"])
def test_anything_else_is_a_failure(answer: bytes) -> None:
    """A87: half an answer, FOUND in a name, another protocol."""
    with pytest.raises(ScannerError) as caught:
        parse(answer, whole=True)

    assert caught.value.kind == "failed"


@pytest.mark.parametrize("answer", [
    b"INSTREAM size limit exceeded. ERROR\0", b"stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\0"])
def test_limits_are_not_viruses(answer: bytes) -> None:
    """A84: what clamd could not look through has its own tag."""
    with pytest.raises(ScannerError) as caught:
        parse(answer, whole=True)

    assert caught.value.kind == "toolarge"


@pytest.mark.parametrize("answer", [b"stream: OK\0", b"stream: X FOUND\0"])
def test_an_answer_before_the_end_is_none(answer: bytes) -> None:
    with pytest.raises(ScannerError):
        parse(answer, whole=False)


@given(st.binary() | st.binary().map(lambda part: b"stream: " + part + b" FOUND\0"), st.booleans())
def test_nothing_else_is_raised(answer: bytes, whole: bool) -> None:
    try:
        name = parse(answer, whole=whole)
    except ScannerError:
        return

    assert name is None or (name.isascii() and name.decode().isprintable() and b" " not in name)


def test_settings(make: Make) -> None:
    with pytest.raises(ControlError, match="at least 1"):
        make(clamd="127.0.0.1:3310", clamdtimeout="0")
    with pytest.raises(ControlError, match="clamd: expected /PATH or ADDRESS:PORT"):
        make(clamd="clamav.example.org:3310", clamdtimeout="1")


def test_fail_policy(make: Make) -> None:
    assert make(clamd="/s").defers("failed")
    assert make(clamd="/s").defers("toolarge")
    assert not make(clamd="/s", clamdfail="pass").defers("failed")


@pytest.mark.parametrize("message", [b"", b"x", b"a message\n" * 300_000])
def test_the_message_arrives_whole(make: Make, tmp_path: Path, message: bytes) -> None:
    """Also one of many chunks, over both kinds of sockets."""
    arrived: list[bytes] = []
    with lying(tmp_path / "s", lambda peer: (arrived.append(read_instream(peer)), peer.sendall(b"stream: OK\0"))[0]) as server:
        for where in (server.tcp, server.unix):
            finding = asked(make(clamd=where), message)
            assert (finding.virus, finding.failed) == (None, None)

    assert arrived == [message, message]


def test_real_clamd(make: Make, clamd: Scanner) -> None:
    for where in (clamd.tcp, clamd.unix):
        assert asked(make(clamd=where), b"Subject: x\n\nhello\n").virus is None
        assert asked(make(clamd=where), b"Subject: x\n\n" + EICAR).virus == b"Frontline.Eicar-Test.UNOFFICIAL"


def test_real_clamd_with_a_message_above_its_own_limit(make: Make, clamd: Scanner) -> None:
    """It says so while we still write, and may close before we read it."""
    for where in (clamd.tcp, clamd.unix):
        with pytest.raises(ScannerError):
            asked(make(clamd=where), b"x" * (20 << 20))
