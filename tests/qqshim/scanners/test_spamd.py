"""spamd: a score only from an answer that is whole and sensible."""

from collections.abc import Callable
from pathlib import Path
from socket import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim import config
from qqshim.connection import Connection
from qqshim.scanners.base import Finding, ScannerError
from qqshim.scanners.spamd import Spamd, parse
from qqshim.spool import Spool
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules.atonce import complete
from tests.scanners import GTUBE, OFFER, Scanner, lying, read_spamc

Make = Callable[..., Spamd]

HEAD = b"SPAMD/1.1 0 EX_OK\r\n"
ANSWER = HEAD + b"Content-length: 5\r\nSpam: True ; 6.5 / 5.0\r\n\r\nOFFER"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A Spamd with these settings."""
    def with_settings(**settings: str) -> Spamd:
        for name, text in settings.items():
            monkeypatch.setenv(name.upper(), text)
        return Spamd(config.settings(Control(str(tmp_path))))

    return with_settings


def asked(scanner: Spamd, message: bytes) -> Finding:
    """What it finds in a message."""
    spool = Spool(b"/var/tmp")
    spool.write(message)
    return complete(scanner(spool, Connection))


@pytest.mark.parametrize(("answer", "spam", "score", "symbols"), [
    (ANSWER, True, 6.5, b"OFFER"),
    (HEAD + b"Content-length: 0\r\nSpam: False ; 0.0 / 5.0\r\n\r\n", False, 0.0, None),
    (HEAD + b"content-length: 7\r\nspam: False ; -2.3 / 5.0\r\n\r\nA_B,C\r\n", False, -2.3, b"A_B,C"),
    (HEAD + b"Spam: True ; 1000.0 / 15\r\nContent-length: 0\r\nX-More: y\r\n\r\n", True, 1000.0, None),
    (b"SPAMD/1.5 0 EX_OK\r\nContent-length: 2\r\nSpam: False ; 4.99 / 15.00\r\n\r\nAB", False, 4.99, b"AB"),
])
def test_answers(answer: bytes, spam: bool, score: float, symbols: bytes | None) -> None:
    finding = parse(answer)

    assert (finding.spam, finding.score, finding.symbols, finding.failed) == (spam, score, symbols, None)


@pytest.mark.parametrize("answer", [
    b"", b"\r\n", HEAD, HEAD + b"\r\n", ANSWER[:-1], ANSWER + b"x", ANSWER.replace(b"5\r\n", b"50000\r\n", 1),
    ANSWER.replace(b": 5", b": 99999999999999999999"), ANSWER.replace(b": 5", b": -5"), ANSWER.replace(b": 5", b": 5_0"),
    ANSWER.replace(b": 5", b": +5"), ANSWER.replace(b"Content-length: 5\r\n", b""),
    ANSWER.replace(b"Content-length: 5\r\n", b"Content-length: 5\r\nContent-length: 6\r\n"),
    ANSWER.replace(b"6.5", b"nan"), ANSWER.replace(b"6.5", b"inf"), ANSWER.replace(b"6.5", b"1000000000"),
    ANSWER.replace(b"6.5", b"1e9"), ANSWER.replace(b"6.5", b""), ANSWER.replace(b"6.5", b"6.5.5"), ANSWER.replace(b"6.5", b"."),
    ANSWER.replace(b"6.5", b"--6"), ANSWER.replace(b" / 5.0", b""), ANSWER.replace(b" / 5.0", b" / x"),
    ANSWER.replace(b"True", b"Maybe"), ANSWER.replace(b"True", b"true"), ANSWER.replace(b"Spam:", b"Ham:"),
    ANSWER.replace(b"0 EX_OK", b"75 EX_TEMPFAIL"), ANSWER.replace(b"0 EX_OK", b"0"), ANSWER.replace(b"SPAMD/1.1", b"SPAMD/2.0"),
    ANSWER.replace(b"SPAMD", b"HTTP"), ANSWER.replace(b"\r\n", b"\n"), b"SPAMD/1.0 76 Bad header line: x\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"])
def test_anything_else_is_a_failure(answer: bytes) -> None:
    """A87, A59: half an answer, lengths and scores that are none, errors, another protocol."""
    with pytest.raises(ScannerError) as caught:
        parse(answer)

    assert caught.value.kind == "failed"


@given(st.binary() | st.tuples(st.binary(max_size=12), st.integers(0, len(ANSWER)), st.integers(0, 9)).map(
    lambda change: ANSWER[:change[1]] + change[0] + ANSWER[change[1] + change[2]:]))
def test_nothing_else_is_raised(answer: bytes) -> None:
    try:
        finding = parse(answer)
    except ScannerError:
        return

    assert finding.score is not None
    assert abs(finding.score) < 10_000


@pytest.mark.parametrize(("settings", "complaint"), [
    ({"spamdtimeout": "0"}, "at least 1"), ({"spamduser": "a b"}, "spamduser"), ({"spamd": "localhost"}, "ADDRESS:PORT")])
def test_settings(make: Make, settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(ControlError, match=complaint):
        make(**{"spamd": "127.0.0.1:783", **settings})


def test_fail_policy(make: Make) -> None:
    """Too large is not a matter of time, so it is never deferred."""
    assert not make(spamd="/s").defers("failed")
    assert make(spamd="/s", spamdfail="defer").defers("failed")
    assert not make(spamd="/s", spamdfail="defer").defers("toolarge")


def test_request(make: Make, tmp_path: Path) -> None:
    """Byte for byte, on both kinds of sockets, with a user and without."""
    requests: list[bytes] = []

    def answer(peer: socket) -> None:
        requests.append(read_spamc(peer))
        peer.sendall(ANSWER)

    message = b"Subject: x\n\nhello\n" * 20_000
    with lying(tmp_path / "s", answer) as server:
        asked(make(spamd=server.tcp), message)
        finding = asked(make(spamd=server.unix, spamduser="filter@example.org"), message)

    assert finding.score == 6.5
    assert requests == [
        b"SYMBOLS SPAMC/1.5\r\nContent-length: 360000\r\n%b\r\n%b" % (user, message)
        for user in (b"", b"User: filter@example.org\r\n")]


def test_an_answer_before_the_end_is_none(make: Make, tmp_path: Path) -> None:
    """A87: an answer that cannot be about the whole message."""
    with lying(tmp_path / "s", lambda peer: (peer.sendall(ANSWER), peer.shutdown(1))[1]) as server, \
            pytest.raises(ScannerError):
        asked(make(spamd=server.tcp), b"x" * (8 << 20))


def test_real_spamd(make: Make, spamd: Scanner) -> None:
    for where in (spamd.tcp, spamd.unix):
        scanner = make(spamd=where, spamduser="anybody")
        ham, spam, test = (asked(scanner, b"Subject: x\n\n" + text + b"\n") for text in (b"hello", OFFER, GTUBE))
        assert (ham.spam, ham.score, ham.symbols) == (False, 0.0, None)
        assert (spam.spam, spam.score, spam.symbols) == (True, 6.5, b"OFFER")
        assert (test.spam, test.score) == (True, 1000.0)
