"""Which recipients the next hop is asked about."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.rcptcallout import configured
from qsmtpd.qmail.control import ControlError
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.checks.site import site
from tests.qsmtpd.world import DictLookups, FixedCallouts, mail

JOE = b"joe@behind.Example"


def asked(tmp_path: Path, recipient: bytes, lookups: DictLookups, *, known: bool | None = None) -> bool | None:
    in_hand = mail(recipient)
    in_hand.known = known
    return complete(configured(site(tmp_path, calloutrcpt=b"behind.example\n.below.example\n"))(in_hand, lookups))


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("recipient", [JOE, b"joe@a.below.example"])
def test_the_answer(tmp_path: Path, recipient: bytes, answer: bool) -> None:
    assert asked(tmp_path, recipient, DictLookups(callouts=FixedCallouts(recipients={recipient: answer}))) is answer


@pytest.mark.parametrize("callouts", [FixedCallouts(), FixedCallouts(recipients={JOE: None})])
def test_no_answer_is_no_refusal(tmp_path: Path, callouts: FixedCallouts) -> None:
    with pytest.raises(LookupFailedError):
        asked(tmp_path, JOE, DictLookups(callouts=callouts))


@pytest.mark.parametrize(("recipient", "known"), [(b"joe@here.example", None), (b"postmaster", None), (JOE, True)])
def test_nobody_else_is_asked_about(tmp_path: Path, recipient: bytes, known: bool | None) -> None:
    """Other domains, local names, and who is known already; a look-up would fail here."""
    assert asked(tmp_path, recipient, DictLookups(), known=known) is True


def test_a_line_that_is_no_domain(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="calloutrcpt: line 1"):
        configured(site(tmp_path, calloutrcpt=b"joe@behind.example\n"))
