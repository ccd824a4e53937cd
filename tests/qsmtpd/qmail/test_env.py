"""The environment: tcp-environ(5) under both protocols, and values that mean harm."""

import pytest

from qsmtpd.qmail import env


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROTO", "QMAILHOME", "CONTROLDIR"):
        monkeypatch.delenv(name, raising=False)
    for prefix in ("TCP", "TCP6"):
        for name in ("REMOTEIP", "REMOTEHOST", "REMOTEINFO", "LOCALIP", "LOCALHOST"):
            monkeypatch.delenv(prefix + name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def peer() -> tuple[bytes, bytes | None, bytes | None, bytes]:
    found = env.peer()
    return found.ip, found.host, found.info, found.local


def test_nobody_said_anything() -> None:
    assert peer() == (b"unknown", None, None, b"unknown")


def test_tcpserver(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PROTO="TCP", TCPREMOTEIP="192.0.2.1", TCPREMOTEHOST="h.example", TCPREMOTEINFO="root",
            TCPLOCALIP="198.51.100.1", TCPLOCALHOST="mx.example")

    assert peer() == (b"192.0.2.1", b"h.example", b"root", b"mx.example")


def test_local_address_when_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, TCPLOCALIP="198.51.100.1")

    assert env.peer().local == b"198.51.100.1"


def test_tcp6_names_stand_first(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PROTO="TCP6", TCP6REMOTEIP="2001:db8::1", TCPREMOTEIP="192.0.2.1", TCP6REMOTEHOST="six.example",
            TCP6LOCALIP="2001:db8::2", TCPREMOTEINFO="old")

    assert peer() == (b"2001:db8::1", b"six.example", b"old", b"2001:db8::2")


def test_tcp6_names_count_under_tcp6_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of an IPv4 server cannot be given an address by a variable left over from somewhere."""
    set_all(monkeypatch, PROTO="TCP", TCP6REMOTEIP="2001:db8::1", TCPREMOTEIP="192.0.2.1")

    assert env.peer().ip == b"192.0.2.1"


@pytest.mark.parametrize(("given", "ip"), [
    ("::ffff:192.0.2.1", b"192.0.2.1"), ("::FFFF:192.0.2.1", b"192.0.2.1"), ("2001:db8::1", b"2001:db8::1"),
    ("::ffff:0:1", b"::ffff:0:1"), ("::1", b"::1")])
def test_mapped_addresses_are_ipv4(monkeypatch: pytest.MonkeyPatch, given: str, ip: bytes) -> None:
    set_all(monkeypatch, PROTO="TCP6", TCP6REMOTEIP=given, TCP6LOCALIP=given)

    assert (ip, ip) == (env.peer().ip, env.peer().local)


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PROTO="TCP", TCPREMOTEIP="", TCPREMOTEHOST="", TCPREMOTEINFO="", TCPLOCALHOST="", TCPLOCALIP="")

    assert peer() == (b"unknown", None, None, b"unknown")


def test_hostile_values_come_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A41, A55: any bytes but NUL; each place that writes them has its encoder."""
    hostile = bytes(range(1, 256))
    monkeypatch.setenv("TCPREMOTEHOST", hostile.decode("utf-8", "surrogateescape"))

    assert env.peer().host == hostile


def test_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABYTES", "")
    assert env.get("DATABYTES") == b""
    monkeypatch.delenv("DATABYTES")
    assert env.get("DATABYTES") is None


def test_without(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, QMAILQUEUE="bin/qqshim", KEPT="yes")
    found = env.without("QMAILQUEUE")

    assert b"QMAILQUEUE" not in found
    assert found[b"KEPT"] == b"yes"
    assert env.get("QMAILQUEUE") == b"bin/qqshim"


@pytest.mark.parametrize(("variables", "home", "control"), [
    ({}, "/var/qmail", "/var/qmail/control"),
    ({"QMAILHOME": "/srv/q"}, "/srv/q", "/srv/q/control"),
    ({"QMAILHOME": "/srv/q", "CONTROLDIR": "/etc/qmail"}, "/srv/q", "/etc/qmail"),
    ({"QMAILHOME": "", "CONTROLDIR": ""}, "/var/qmail", "/var/qmail/control"),
])
def test_places(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], home: str, control: str) -> None:
    set_all(monkeypatch, **variables)

    assert (home, control) == (env.qmail_home(), env.control_directory())


def test_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDQ_RUNNING", "before")

    env.put("HOLDQ_RUNNING", "/var/\udcff")

    assert env.get("HOLDQ_RUNNING") == b"/var/\xff"
    assert env.without()[b"HOLDQ_RUNNING"] == b"/var/\xff"
