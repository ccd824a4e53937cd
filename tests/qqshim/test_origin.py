"""Whose environment is believed."""

import os
import pwd
from pathlib import Path

import pytest

from qqshim.origin import Origin, origin, trust
from qsmtpd.qmail import env
from qsmtpd.qmail.control import Control, ControlError

QMAILD = 61234


def found_in(control: Control) -> Origin:
    return origin(env.get, trust(control))


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names a relay client."""
    monkeypatch.setenv("TCPREMOTEIP", "::ffff:192.0.2.7")
    monkeypatch.setenv("RELAYCLIENT", "")
    for name in ("PROTO", "QQTAGS", "QQREPLY", "TCPREMOTEHOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Name: uid; what is not there is no account."""
    known = {"qmaild": QMAILD, "vpopmail": QMAILD + 7}

    def look_up(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", known[name], 0, "", "/", "/"))

    monkeypatch.setattr(pwd, "getpwnam", look_up)
    return known


def test_the_server_account_is_believed(accounts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: accounts["qmaild"])
    for directory in (tmp_path, tmp_path / "none"):
        found = found_in(Control(str(directory)))
        assert (found.server, found.client, found.relay) == (True, b"192.0.2.7", True)
    monkeypatch.delenv("RELAYCLIENT")
    assert found_in(Control(str(tmp_path))).relay is False
    monkeypatch.delenv("TCPREMOTEIP")
    found = found_in(Control(str(tmp_path)))
    assert (found.server, found.client, found.relay) == (True, None, None)


@pytest.mark.usefixtures("accounts")
def test_one_account_for_all_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of the control directory, under a server program; by hand he is a person like others."""
    assert not found_in(Control(str(tmp_path))).server
    monkeypatch.setenv("PROTO", "TCP")
    assert found_in(Control(str(tmp_path))).client == b"192.0.2.7"


def test_anybody_else_is_not(accounts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A80: a local user could name any client, and a relay."""
    monkeypatch.setattr(os, "getuid", lambda: QMAILD + 1)
    for directory in (tmp_path, tmp_path / "none"):
        found = found_in(Control(str(directory)))
        assert (found.server, found.client, found.relay) == (False, None, None)
    del accounts["qmaild"]
    assert not found_in(Control(str(tmp_path))).server


def test_another_account_for_the_server(accounts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A toaster runs qmail-smtpd as vpopmail.  Only a control file can say so: a variable would be anybody's to set."""
    monkeypatch.setattr(os, "getuid", lambda: accounts["vpopmail"])
    monkeypatch.setenv("QQUSER", "vpopmail")
    assert not found_in(Control(str(tmp_path))).server
    (tmp_path / "qquser").write_text("vpopmail\n")
    assert found_in(Control(str(tmp_path))).server
    monkeypatch.setattr(os, "getuid", lambda: accounts["qmaild"])
    assert not found_in(Control(str(tmp_path))).server, "it is one account, not one more"
    (tmp_path / "qquser").write_text("nobody-of-that-name\n")
    assert not found_in(Control(str(tmp_path))).server


def test_an_account_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: QMAILD)
    (tmp_path / "qquser").mkdir()

    with pytest.raises(ControlError, match="qquser"):
        found_in(Control(str(tmp_path)))


@pytest.mark.parametrize(("variables", "said"), [
    ({}, (False, None)), ({"QQREPLY": "6"}, (True, None)), ({"QQREPLY": "6", "QQTAGS": "!relay"}, (True, b"!relay")),
    ({"QQTAGS": ""}, (True, b""))])
def test_what_a_session_says(
        accounts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str],
        said: tuple[bool, bytes | None]) -> None:
    """Believed where the client's address is, and nowhere else."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "getuid", lambda: accounts["qmaild"])
    found = found_in(Control(str(tmp_path)))
    monkeypatch.setattr(os, "getuid", lambda: accounts["qmaild"] + 1)
    by_user = found_in(Control(str(tmp_path)))

    assert (found.session, found.told) == said
    assert (by_user.session, by_user.told) == (False, None)
