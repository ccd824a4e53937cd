"""The envelope sender of double bounces."""

import pytest

from qsmtpd.checks.doublebounce import DoubleBounce
from qsmtpd.drivers.stdio import complete
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("sender", "relay", "refused"), [
    (b"#@[]", None, True), (b"#@[]", b"", False), (b"", None, False), (b"a@b.test", None, False)])
def test_doublebounce(sender: bytes, relay: bytes | None, refused: bool) -> None:
    """A114."""
    reply = complete(DoubleBounce()(mail(sender=sender, relay=relay), DictLookups()))

    assert (reply is not None) == refused
