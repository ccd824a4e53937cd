"""tcp.smtp.cdb in a process of many sessions: made by the real tcprules, changed under it."""

import subprocess
from pathlib import Path

import pytest

from qsmtpd.drivers.clientrules import LOOK_AGAIN, REMEMBERED_MAX, ClientRules


def tcprules(path: Path, text: str) -> None:
    subprocess.run(["tcprules", path, f"{path}.tmp"], input=text.encode(), check=True)


class Asked:
    def __init__(self, path: Path | None, *, without: bool = False) -> None:
        self.said: list[bytes] = []
        self.rules = ClientRules(None if path is None else str(path), without, self.said.append)
        self.now = 0.0

    def find(self, ip: bytes, host: bytes | None = None) -> tuple[bool, dict[str, bytes]]:
        self.now += LOOK_AGAIN
        found = self.rules.find(ip, host, self.now)
        return found.allow, dict(found.variables)


def test_without_rules_everybody_may_connect() -> None:
    assert Asked(None).find(b"192.0.2.1") == (True, {})


def test_what_is_said_of_a_client(tmp_path: Path) -> None:
    tcprules(tmp_path / "cdb", '192.0.2.1:deny\n192.0.2.:allow,RELAYCLIENT="",DATABYTES="5"\n=.bad.test:deny\n:allow\n')
    of = Asked(tmp_path / "cdb")

    assert of.find(b"192.0.2.1") == (False, {})
    assert of.find(b"192.0.2.2") == (True, {"RELAYCLIENT": b"", "DATABYTES": b"5"})
    assert of.find(b"198.51.100.1", b"x.bad.test") == (False, {})
    assert of.find(b"2001:db8::1") == (True, {})


def test_the_same_variables_have_the_same_key(tmp_path: Path) -> None:
    tcprules(tmp_path / "cdb", '192.0.2.:allow,A="1"\n198.51.100.:allow,A="1"\n203.0.113.:allow,A="2"\n:allow\n')
    of = Asked(tmp_path / "cdb")

    clients = (b"192.0.2.1", b"198.51.100.1", b"203.0.113.1", b"10.0.0.1")
    one, two, three, none = (of.rules.find(ip, None, 5.0).key for ip in clients)

    assert one == two != three
    assert none == b""


def test_a_new_file_is_seen_and_one_that_is_gone(tmp_path: Path) -> None:
    tcprules(tmp_path / "cdb", ":allow\n")
    of = Asked(tmp_path / "cdb")
    assert of.find(b"192.0.2.1")[0]

    tcprules(tmp_path / "cdb", ":deny\n")
    assert not of.find(b"192.0.2.1")[0]

    (tmp_path / "cdb").unlink()
    assert [of.find(b"192.0.2.1")[0] for _ in range(3)] == [False] * 3
    assert len(of.said) == 1

    tcprules(tmp_path / "cdb", ":allow\n")
    assert of.find(b"192.0.2.1")[0]


@pytest.mark.parametrize("damage", [b"", b"\0" * 2048, b"\xff" * 100])
def test_what_cannot_be_read_denies_or_not_as_the_option_says(tmp_path: Path, damage: bytes) -> None:
    """A130."""
    (tmp_path / "cdb").write_bytes(damage)

    assert not Asked(tmp_path / "cdb").find(b"192.0.2.1")[0]
    assert not Asked(tmp_path / "cdb", without=True).find(b"192.0.2.1")[0]
    assert Asked(tmp_path / "absent", without=True).find(b"192.0.2.1")[0]
    assert not Asked(tmp_path / "absent").find(b"192.0.2.1")[0]


def test_hup_opens_it_again(tmp_path: Path) -> None:
    tcprules(tmp_path / "cdb", ":allow\n")
    of = Asked(tmp_path / "cdb")
    of.find(b"192.0.2.1")
    tcprules(tmp_path / "cdb", ":deny\n")

    assert of.rules.find(b"192.0.2.1", None, of.now).allow
    of.rules.forget()
    assert not of.rules.find(b"192.0.2.1", None, of.now).allow


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    """A39."""
    lines = "".join(f'10.{a}.{b}.1:allow,N="{a}.{b}"\n' for a in range(20) for b in range(100))
    tcprules(tmp_path / "cdb", lines)
    of = Asked(tmp_path / "cdb")

    for a in range(20):
        for b in range(100):
            assert of.rules.find(b"10.%d.%d.1" % (a, b), None, 1.0).variables == {"N": b"%d.%d" % (a, b)}
    assert len(of.rules._decoded) <= REMEMBERED_MAX
