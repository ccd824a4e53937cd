"""control/badmailfrom."""

from pathlib import Path

import pytest

from qsmtpd.checks.badmailfrom import configured
from qsmtpd.qmail.control import ControlError
from tests.qsmtpd.checks.site import ask, site
from tests.qsmtpd.world import DictLookups, mail

LINES = b"# spammers\nspam@b.test\n@evil.test\n.pool.test\n*-offers@*\n"


@pytest.mark.parametrize(("sender", "line"), [
    (b"SPAM@B.test", b"spam@b.test"), (b"x@evil.test", b"@evil.test"), (b"x@sub.evil.test", None),
    (b"x@a.pool.test", b".pool.test"), (b"my-offers@shop.test", b"*-offers@*"), (b"", None)])
def test_badmailfrom(tmp_path: Path, sender: bytes, line: bytes | None) -> None:
    known = mail(sender=sender)

    assert ask(configured(site(tmp_path, badmailfrom=LINES)), known, DictLookups(), "badmailfrom") is (line is not None)
    assert known.reasons == ({"badmailfrom": line + b" from badmailfrom"} if line else {})


def test_an_absent_file_lists_nobody(tmp_path: Path) -> None:
    assert ask(configured(site(tmp_path)), mail(sender=b"spam@b.test"), DictLookups(), "badmailfrom") is False


def test_a_regular_expression_is_an_error(tmp_path: Path) -> None:
    """A86: as sagredo's qmail has them."""
    with pytest.raises(ControlError, match=r"badmailfrom: line 3: .*regular expressions are not understood"):
        configured(site(tmp_path, badmailfrom=b"# x\na@b\n^spam.*\n"))
