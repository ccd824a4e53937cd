"""Whose environment is believed."""

import os
import pwd
from pathlib import Path

import pytest

from qqshim.origin import origin

QMAILD = 61234


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names a relay client."""
    monkeypatch.setenv("TCPREMOTEIP", "::ffff:192.0.2.7")
    monkeypatch.setenv("RELAYCLIENT", "")
    monkeypatch.delenv("PROTO", raising=False)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Name: uid; what is not there is no account."""
    known = {"qmaild": QMAILD}

    def look_up(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", known[name], 0, "", "/", "/"))

    monkeypatch.setattr(pwd, "getpwnam", look_up)
    return known


def test_the_server_account_is_believed(accounts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: accounts["qmaild"])
    for directory in (tmp_path, tmp_path / "none"):
        found = origin(str(directory))
        assert (found.server, found.client, found.relay) == (True, b"192.0.2.7", True)
    monkeypatch.delenv("RELAYCLIENT")
    assert origin(str(tmp_path)).relay is False
    monkeypatch.delenv("TCPREMOTEIP")
    found = origin(str(tmp_path))
    assert (found.server, found.client, found.relay) == (True, None, None)


@pytest.mark.usefixtures("accounts")
def test_one_account_for_all_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of the control directory, under a server program; by hand he is a person like others."""
    assert not origin(str(tmp_path)).server
    monkeypatch.setenv("PROTO", "TCP")
    assert origin(str(tmp_path)).client == b"192.0.2.7"


def test_anybody_else_is_not(accounts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A80: a local user could name any client, and a relay."""
    monkeypatch.setattr(os, "getuid", lambda: QMAILD + 1)
    for directory in (tmp_path, tmp_path / "none"):
        found = origin(str(directory))
        assert (found.server, found.client, found.relay) == (False, None, None)
    del accounts["qmaild"]
    assert not origin(str(tmp_path)).server
