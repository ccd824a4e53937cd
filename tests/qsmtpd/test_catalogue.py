"""Every word of the rules has a check that knows it."""

from pathlib import Path

import pytest

from qsmtpd import catalogue
from qsmtpd.checks.counts import VALUES
from qsmtpd.rules.site import KINDS
from qsmtpd.rules.vocabulary import CONTENT, TERMS
from tests.qsmtpd.world import Source

CHECKS = sorted(
    {term.check for name, term in TERMS.items() if name not in VALUES and term.stage < CONTENT}
    | {check for _, _, check in KINDS.values()})


@pytest.mark.parametrize("check", CHECKS)
def test_it_can_be_made_from_an_empty_control_directory(check: str, tmp_path: Path) -> None:
    (tmp_path / "me").write_text("mx.bench.test\n")

    assert callable(catalogue.make(check, Source(tmp_path)))


def test_a_name_that_is_none() -> None:
    with pytest.raises(AssertionError):
        catalogue.make("nobody", Source(Path("/nonexistent")))
