"""control/badmailfrom."""

import pytest

from qsmtpd.checks.badmailfrom import BadMailFrom
from qsmtpd.drivers.stdio import complete
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("sender", "refused"), [
    (b"spam@b.test", True), (b"SPAM@B.test", True), (b"x@evil.test", True), (b"x@sub.evil.test", False),
    (b"x@notevil.test", False), (b"a@b@evil.test", True), (b"", False), (b"evil.test", False), (b"bare", True)])
def test_badmailfrom(sender: bytes, refused: bool) -> None:
    check = BadMailFrom(frozenset((b"spam@b.test", b"@evil.test", b"bare")))

    reply = complete(check(mail(sender=sender), DictLookups()))

    assert (reply is not None) == refused
