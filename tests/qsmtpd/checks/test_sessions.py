"""Connections from the client's address and netblock."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.sessions import configured
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictLookups, FixedMachine, mail

NAMES = ("sessions", "net-sessions")


def test_both_facts(tmp_path: Path) -> None:
    lookups = DictLookups(machine=FixedMachine(standing=(3, 17)))

    assert found(configured(site(tmp_path)), mail(), lookups, *NAMES) == {"sessions": 3, "net-sessions": 17}


def test_unknown(tmp_path: Path) -> None:
    """Under a server program that tells no port nobody is counted as alone."""
    known = mail()
    known.local_port = None

    with pytest.raises(LookupFailedError):
        ask(configured(site(tmp_path)), known, DictLookups(machine=FixedMachine(standing=(3, 17))), "sessions")
    with pytest.raises(LookupFailedError):
        ask(configured(site(tmp_path)), mail(), DictLookups(), "sessions")
