"""Log lines go to a log."""

import socket
from pathlib import Path

import pytest

from qqshim import log


def test_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    log.write("message", (("from", b"a b\n"),), on_stderr=True)

    assert capfd.readouterr().err == 'message from="a b\\x0a"\n'


def test_to_syslog(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A42, A43: the same line, in one datagram, with nothing raw in it."""
    monkeypatch.setattr(log, "SYSLOG_SOCKET", str(tmp_path / "log"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        log.write("message", (("from", b"\x1b]0;x\x07"),), on_stderr=False)
        said = syslog.recv(4096)

    assert said.startswith(b"<22>qqshim[")
    assert said.endswith(b']: message from="\\x1b]0;x\\x07"')
    assert capfd.readouterr().err == ""


def test_no_syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A137: a log that is not there stops no mail."""
    monkeypatch.setattr(log, "SYSLOG_SOCKET", str(tmp_path / "none"))

    log.write("message", (), on_stderr=False)

    assert capfd.readouterr() == ("", "")
