"""control/badrcptto."""

from pathlib import Path

import pytest

from qsmtpd.checks.badrcptto import configured
from qsmtpd.qmail.control import ControlError
from tests.qsmtpd.checks.site import ask, site
from tests.qsmtpd.world import DictLookups, mail

LINES = b"# spammers\nspam@b.test\n@evil.test\n.pool.test\n*-offers@*\n"


@pytest.mark.parametrize(("recipient", "line"), [
    (b"SPAM@B.test", b"spam@b.test"), (b"x@evil.test", b"@evil.test"), (b"x@sub.evil.test", None),
    (b"x@a.pool.test", b".pool.test"), (b"my-offers@shop.test", b"*-offers@*"), (b"", None)])
def test_badrcptto(tmp_path: Path, recipient: bytes, line: bytes | None) -> None:
    known = mail(recipient=recipient)

    assert ask(configured(site(tmp_path, badrcptto=LINES)), known, DictLookups(), "badrcptto") is (line is not None)
    assert known.reasons == ({"badrcptto": line + b" from badrcptto"} if line else {})


def test_an_absent_file_lists_nobody(tmp_path: Path) -> None:
    assert ask(configured(site(tmp_path)), mail(recipient=b"spam@b.test"), DictLookups(), "badrcptto") is False


def test_a_regular_expression_is_an_error(tmp_path: Path) -> None:
    """A86: as sagredo's qmail has them."""
    with pytest.raises(ControlError, match=r"badrcptto: line 3: .*regular expressions are not understood"):
        configured(site(tmp_path, badrcptto=b"# x\na@b\n^spam.*\n"))
