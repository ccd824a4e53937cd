"""Tags of kind env."""

from pathlib import Path

import pytest

from qsmtpd.checks.variables import configured
from tests.qsmtpd.checks.site import ask, found, site
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("value", "is_set", "is_first"), [
    (None, False, False), (b"", True, False), (b"first", True, True), (b"First", True, False), (b"first ", True, False)])
def test_variables(tmp_path: Path, value: bytes | None, is_set: bool, is_first: bool) -> None:
    """A set and empty variable is set, as RELAYCLIENT."""
    check = configured(site(tmp_path, tags=b"mx env MXROLE\nfirst-mx env MXROLE=first\n"))
    known = mail(env={} if value is None else {"MXROLE": value})

    assert found(check, known, DictLookups(), "mx", "first-mx") == {"mx": is_set, "first-mx": is_first}
    assert known.reasons.get("mx") == (None if value is None else b"MXROLE=" + value)


def test_an_empty_value_can_be_asked_for(tmp_path: Path) -> None:
    check = configured(site(tmp_path, tags=b"relaying env RELAYCLIENT=\n"))

    assert ask(check, mail(env={"RELAYCLIENT": b""}), DictLookups(), "relaying") is True
    assert ask(check, mail(env={"RELAYCLIENT": b"@x"}), DictLookups(), "relaying") is False
    assert ask(check, mail(), DictLookups(), "relaying") is False
