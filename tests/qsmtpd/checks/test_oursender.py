"""Senders in our own domains."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.oursender import configured
from qsmtpd.checks.validrcpt import ValidRcpt
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictLookups, mail

NAMES = ("sender-ours", "sender-unknown")


@pytest.mark.parametrize(("sender", "ours", "unknown"), [
    (b"user1@bench.test", True, False), (b"USER1@Bench.Test", True, False), (b"nobody@bench.test", True, True),
    (b"user1@notbench.test", False, False), (b"user1@x.bench.test", False, False), (b"", False, False), (b"root", False, False),
    (b"user1@", False, False)])
@pytest.mark.parametrize("relay", [None, b""])
def test_senders(tmp_path: Path, sender: bytes, ours: bool, unknown: bool, relay: bytes | None) -> None:
    """A61; RELAYCLIENT makes no domain ours."""
    source = site(tmp_path)
    source.valid = ValidRcpt(frozenset([b"user1@bench.test"]), None, b"bench.test")
    known = mail(sender=sender, relay=relay)

    assert found(configured(source), known, DictLookups(), *NAMES) == {"sender-ours": ours, "sender-unknown": unknown}
    assert known.reasons == {name: sender for name, holds in zip(NAMES, (ours, unknown), strict=True) if holds}


def test_where_nobody_knows_who_exists_nobody_is_unknown(tmp_path: Path) -> None:
    assert ask(configured(site(tmp_path)), mail(sender=b"nobody@bench.test"), DictLookups(), "sender-unknown") is False


def test_a_database_that_cannot_be_read(tmp_path: Path) -> None:
    """The domain is ours all the same."""
    lookups = DictLookups(broken=frozenset(["validrcptto.cdb"]))

    findings = found(configured(site(tmp_path)), mail(sender=b"user1@bench.test"), lookups, *NAMES)

    assert findings == {"sender-ours": True, "sender-unknown": None}


def test_hosts_that_cannot_be_read(tmp_path: Path) -> None:
    lookups = DictLookups(broken=frozenset(["morercpthosts.cdb"]))

    with pytest.raises(LookupFailedError):
        ask(configured(site(tmp_path)), mail(sender=b"user1@other.test"), lookups, "sender-ours")
