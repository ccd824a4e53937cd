"""Limits on recipients."""

import pytest

from qsmtpd.checks.limits import TARPIT_MAX, Tarpit, TooManyInvalid, TooManyRecipients
from qsmtpd.drivers.stdio import complete
from tests.qsmtpd.world import DictLookups, mail


@pytest.mark.parametrize(("maximum", "taken", "refused"), [(2, 1, False), (2, 2, True)])
def test_too_many_recipients(maximum: int, taken: int, refused: bool) -> None:
    known = mail()
    known.recipients = [b"x@y"] * taken

    assert (complete(TooManyRecipients(maximum)(known, DictLookups())) is not None) == refused


@pytest.mark.parametrize(("limit", "bad", "ended"), [(2, 2, False), (2, 3, True)])
def test_too_many_invalid(limit: int, bad: int, ended: bool) -> None:
    known = mail()
    known.bad = bad
    known.known = False

    assert (complete(TooManyInvalid(limit)(known, DictLookups())) is not None) == ended


def test_a_tarpit_has_a_bottom() -> None:
    tarpit = Tarpit(1, 25)

    assert [tarpit.seconds(bad) for bad in range(1, 6)] == [0, 25, 25, 10, 0]
    assert tarpit.spent == TARPIT_MAX


def test_no_tarpit() -> None:
    assert Tarpit(0, 25).seconds(1000) == 0
