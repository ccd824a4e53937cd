"""What a connection's end is in the words of tcpserver."""

from typing import Any

import pytest

from qsmtpd.drivers.visit import DENIED, Visit
from qsmtpd.replies import OfSite
from qsmtpd.session import Session
from tests.qsmtpd.world import peer


def visit() -> Visit:
    warm: Any = None
    return Visit(peer(), 1, warm)


@pytest.mark.parametrize(("well", "fault", "code"), [(True, None, 0), (False, None, 1), (True, OSError(), 111)])
def test_exit_codes(well: bool, fault: Exception | None, code: int) -> None:
    assert visit().exit_code(well, fault) == code


def test_who_is_denied_leaves_like_tcpservers_child() -> None:
    denied = visit()
    denied.denied = True

    assert denied.exit_code(False, None) == DENIED


def test_who_has_begun_nothing_loses_nothing() -> None:
    one = visit()
    before = one.idle
    one.session = Session(OfSite(b"mx.bench.test", 0).goodbye, 0, 0)

    assert before
    assert one.idle


def test_who_has_no_queue_yet_has_no_message() -> None:
    assert not visit().in_message
