"""From findings to what becomes of the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.scanners.base import Finding, ScannerError, failure
from qqshim.verdict import decide

CLEAN = Finding("clamd")
VIRUS = Finding("clamd", virus=b"Eicar")
HAM = Finding("spamd", score=0.1)
SPAM = Finding("spamd", spam=True, score=7.5, symbols=b"OFFER")


def failed(scanner: str, *, defer: bool, kind: str = "failed") -> Finding:
    return failure(scanner, ScannerError(kind, b"connect: Connection refused"), defer=defer)


@pytest.mark.parametrize(("findings", "reject", "action", "tags"), [
    ([], None, "pass", ()),
    ([CLEAN, HAM], 5.0, "pass", ()),
    ([CLEAN, SPAM], None, "tag", ("spam",)),
    ([CLEAN, SPAM], 7.6, "tag", ("spam",)),
    ([CLEAN, SPAM], 7.5, "refuse", ("spam",)),
    ([VIRUS], None, "refuse", ("virus",)),
    ([VIRUS, SPAM], 1.0, "refuse", ("virus", "spam")),
    ([failed("clamd", defer=False), HAM], 5.0, "tag", ("clamd-failed",)),
    ([failed("clamd", defer=True)], 5.0, "defer", ("clamd-failed",)),
    ([CLEAN, failed("spamd", defer=True)], 5.0, "defer", ("spamd-failed",)),
    ([CLEAN, failed("spamd", defer=False, kind="toolarge")], 5.0, "tag", ("spamd-toolarge",)),
    ([failed("spamd", defer=True), VIRUS], None, "refuse", ("spamd-failed", "virus")),
])
def test_decide(findings: list[Finding], reject: float | None, action: str, tags: tuple[str, ...]) -> None:
    verdict = decide(findings, reject)

    assert (verdict.action, verdict.tags) == (action, tags)
    assert (verdict.reply is None) == (action in ("pass", "tag"))


def test_replies() -> None:
    virus, spam = decide([VIRUS], None).reply, decide([SPAM], 5.0).reply
    later = decide([failed("clamd", defer=True)], None).reply

    assert virus is not None
    assert spam is not None
    assert later is not None
    assert (virus.code, virus.status, virus.text) == (554, "5.7.1", "sorry, this message contains Eicar")
    assert (spam.code, spam.status, spam.text) == (554, "5.7.1", "sorry, this message looks like spam, its score is 7.5")
    assert (later.code, later.status) == (451, "4.3.0")
    assert "refused" not in later.text, "what failed is for the log only"


def test_what_the_log_needs() -> None:
    verdict = decide([failed("clamd", defer=False), SPAM], None)

    assert (verdict.score, verdict.symbols, verdict.virus) == (7.5, b"OFFER", None)
    assert verdict.why == b"clamd: connect: Connection refused"


FAILURES = st.builds(
    failed, st.sampled_from(["clamd", "spamd"]), defer=st.booleans(), kind=st.sampled_from(["failed", "toolarge"]))


@given(st.lists(FAILURES, max_size=4), st.none() | st.floats(-100, 100))
def test_no_failure_is_a_refusal(findings: list[Finding], reject: float | None) -> None:
    """A87."""
    verdict = decide(findings, reject)

    assert verdict.action != "refuse"
    assert (verdict.action == "defer") == any(finding.defer for finding in findings)
