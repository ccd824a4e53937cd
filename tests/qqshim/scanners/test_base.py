"""What all scanners share: scores, findings, the order in which they are asked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim import scanners
from qqshim.connection import Connection
from qqshim.scanners.base import Finding, ScannerError, failure, score
from qsmtpd.rules.atonce import complete


class Asked:
    """A scanner that does what it is told, and remembers that it was asked."""

    def __init__(self, name: str, outcome: Finding | ScannerError, *, defer: bool = False, max_size: int = 100) -> None:
        self.name = name
        self.max_size = max_size
        self.asked = 0
        self._outcome = outcome
        self._defer = defer

    def defers(self, _kind: str) -> bool:
        return self._defer

    async def __call__(self, _message: object, _connection: object) -> Finding:
        self.asked += 1
        if isinstance(self._outcome, ScannerError):
            raise self._outcome
        return self._outcome


class Sized:
    """A message of that size."""

    def __init__(self, size: int) -> None:
        self.fd = -1
        self.size = size


@pytest.mark.parametrize(("text", "value"), [(b"5", 5.0), (b"-2.3", -2.3), (b"0", 0.0), (b"9999.9", 9999.9), (b"007", 7.0)])
def test_score(text: bytes, value: float) -> None:
    assert score(text) == value


@pytest.mark.parametrize("text", [
    b"", b"-", b".", b"5.", b".5", b"+5", b" 5", b"5 ", b"1_0", b"10000", b"1e3", b"nan", b"inf", b"0x10", b"5,0", b"--5",
    b"\xd9\xa3"])
def test_no_score(text: bytes) -> None:
    """A59, A87."""
    with pytest.raises(ValueError, match="no score"):
        score(text)


@given(st.binary(max_size=12))
def test_any_score_is_finite(text: bytes) -> None:
    try:
        value = score(text)
    except ValueError:
        return

    assert math.isfinite(value)


def scanned(message: Sized, asked: list[Asked]) -> list[Finding]:
    return complete(scanners.scan(message, asked, Connection))


def test_failure() -> None:
    finding = failure("spamd", ScannerError("toolarge", b"message of 9 bytes"), defer=True)

    assert (finding.scanner, finding.failed, finding.why, finding.defer) == ("spamd", "toolarge", b"message of 9 bytes", True)


def test_all_are_asked_in_order() -> None:
    first, second = Asked("clamd", Finding("clamd")), Asked("spamd", Finding("spamd", score=1.0))

    assert [finding.scanner for finding in scanned(Sized(1), [first, second])] == ["clamd", "spamd"]


def test_what_is_settled_asks_no_more() -> None:
    down = ScannerError("failed", b"x")
    for outcome, defer in ((Finding("clamd", virus=b"X"), False), (down, True)):
        second = Asked("spamd", Finding("spamd"))
        assert len(scanned(Sized(1), [Asked("clamd", outcome, defer=defer), second])) == 1
        assert not second.asked

    second = Asked("spamd", Finding("spamd"))
    findings = scanned(Sized(1), [Asked("clamd", down), second])
    assert (len(findings), findings[0].failed, second.asked) == (2, "failed", 1)


def test_too_large() -> None:
    """The limit itself is allowed."""
    scanner = Asked("clamd", Finding("clamd"), max_size=100)

    assert scanned(Sized(100), [scanner])[0].failed is None
    assert scanned(Sized(101), [scanner])[0].failed == "toolarge"
    assert scanner.asked == 1
