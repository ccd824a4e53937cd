"""What the client calls itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.helo import Helo, configured
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictLookups, mail

NAMES = ("helo-none", "helo-oneword", "helo-literal", "helo-ours")
FILES = {"me": b"mx.bench.test\n", "smtpgreeting": b"mail.bench.test welcomes you\n", "locals": b"Bench.test\nlocalhost\n"}


@pytest.mark.parametrize(("name", "holds"), [
    (None, ["helo-none"]), (b"", ["helo-none"]), (b".", ["helo-none"]), (b"friend", ["helo-oneword"]),
    (b"friend.", ["helo-oneword"]), (b"localhost", ["helo-oneword", "helo-ours"]), (b"mail.example", []),
    (b"a b", ["helo-oneword"]), (b"[192.0.2.1]", ["helo-literal"]), (b"192.0.2.1", ["helo-literal"]),
    (b"[IPv6:2001:db8::1]", ["helo-literal"]), (b"::1", ["helo-literal"]), (b"[", ["helo-literal"]),
    (b"192.0.2.256", []), (b"MX.Bench.Test", ["helo-ours"]), (b"mail.bench.test.", ["helo-ours"]),
    (b"bench.test", ["helo-ours"]),
    (b"notbench.test", []), (b"x.bench.test", []), (b"[192.0.2.2]", ["helo-literal", "helo-ours"]),
    (b"192.0.2.2", ["helo-literal", "helo-ours"]), (b"[::ffff:192.0.2.2]", ["helo-literal", "helo-ours"]),
    (b"welcomes", ["helo-oneword"]), (b"x.\xc2\xa0\x1b[2J)\r", [])])
def test_names(tmp_path: Path, name: bytes | None, holds: list[str]) -> None:
    """A40."""
    known = mail()
    known.helo = name

    findings = found(configured(site(tmp_path, **FILES)), known, DictLookups(), *NAMES)

    assert [each for each, value in findings.items() if value] == holds
    assert set(known.reasons) == set(holds) - {"helo-none"}


@pytest.mark.parametrize(("ip", "relay"), [
    (b"127.0.0.1", None), (b"127.8.9.1", None), (b"::1", None), (b"192.0.2.2", None), (b"192.0.2.3", None), (b"192.0.2.1", b""),
    (b"unknown", None)])
def test_we_may_bear_our_name(tmp_path: Path, ip: bytes, relay: bytes | None) -> None:
    """Programs of this machine, and clients that tcp.smtp knows."""
    lookups = DictLookups(own=frozenset([b"192.0.2.3"]))
    known = mail(ip=ip, relay=relay, helo=b"mx.bench.test")

    assert ask(configured(site(tmp_path, **FILES)), known, lookups, "helo-ours") is False


class Blind(DictLookups):
    async def is_own_address(self, ip: bytes) -> bool:
        raise LookupFailedError("interfaces")


def test_who_may_be_us_is_unknown(tmp_path: Path) -> None:
    lookups = Blind()

    findings = found(configured(site(tmp_path, **FILES)), mail(helo=b"localhost"), lookups, *NAMES)

    assert findings == {"helo-none": False, "helo-oneword": True, "helo-literal": False, "helo-ours": None}
    assert lookups.noted == [b"helo-ours: interfaces"]


def test_without_control_files(tmp_path: Path) -> None:
    """An absent file is not the empty name."""
    assert ask(configured(site(tmp_path)), mail(helo=b""), DictLookups(), "helo-ours") is False


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(name: bytes) -> None:
    """A40, A51: and exactly one of three says what kind of name it is, or none of them."""
    findings = found(Helo(frozenset()), mail(helo=name), DictLookups(), *NAMES)

    assert sum(value is True for value in findings.values()) <= 1
