"""RBLSMTPD."""

import pytest

from qsmtpd.checks.blocked import Blocked
from qsmtpd.drivers.stdio import complete
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("text", "code"), [(None, None), (b"", None), (b"try later", 451), (b"-never", 553), (b"-", 553)])
def test_blocked(text: bytes | None, code: int | None) -> None:
    reply = complete(Blocked()(mail(blocked=text), DictLookups()))

    assert (reply.code if reply else None) == code
