"""Who speaks before the greeting."""

import pytest

from qsmtpd.checks.earlytalk import EarlyTalk
from tests.qsmtpd.checks.site import ask
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("seconds", "waited"), [(5, [5]), (0, [])])
@pytest.mark.parametrize("spoken", [True, False])
def test_earlytalk(seconds: int, waited: list[int], spoken: bool) -> None:
    """A18: who was not waited for was not early."""
    lookups = DictLookups(spoken=spoken)
    known = mail()

    assert ask(EarlyTalk(seconds), known, lookups, "earlytalk") is (spoken and waited != [])
    assert lookups.waited == waited
    assert ("earlytalk" in known.reasons) == (spoken and waited != [])
