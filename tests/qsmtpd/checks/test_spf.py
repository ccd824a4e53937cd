"""The tags of SPF, and who is asked about."""

from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.spf import RESULTS, Spf, configured
from tests.qsmtpd.checks.site import found, site
from tests.qsmtpd.world import DictLookups, FixedCallouts, mail

TAGS = tuple(f"spf-{result}" for result in RESULTS)


@pytest.mark.parametrize("result", RESULTS)
def test_one_tag_holds(result: str, tmp_path: Path) -> None:
    known = mail(sender=b"joe@Far.example")
    lookups = DictLookups(callouts=FixedCallouts(spf_result=(result, b"")))

    assert found(configured(site(tmp_path)), known, lookups, *TAGS) == {name: name == f"spf-{result}" for name in TAGS}
    assert known.reasons == {f"spf-{result}": f"SPF: {result} for far.example".encode()}
    assert known.spf_domain == (b"far.example" if result == "pass" else None)


def test_the_domain_has_the_word() -> None:
    known = mail(sender=b"joe@far.example")
    found(Spf(), known, DictLookups(callouts=FixedCallouts(spf_result=("fail", b"see far.example/spf"))), "spf-fail")

    assert known.reasons["spf-fail"] == b"see far.example/spf"


def test_no_answer() -> None:
    with pytest.raises(LookupFailedError):
        found(Spf(), mail(sender=b"joe@far.example"), DictLookups(), "spf-pass")


@pytest.mark.parametrize(("sender", "helo"), [
    (b"joe@[192.0.2.1]", b"h.example"), (b"joe@localhost", b"h.example"), (b"joe", b"h.example"), (b"", b"[192.0.2.1]"),
    (b"", b"pc"), (b"", None)])
def test_nobody_to_ask_about(sender: bytes, helo: bytes | None) -> None:
    """RFC 7208 section 4.3: no result, and no look-up, which would fail here."""
    assert found(Spf(), mail(sender=sender, helo=helo), DictLookups(), "spf-none", "spf-pass") == {
        "spf-none": True, "spf-pass": False}


def test_the_null_sender_is_helo() -> None:
    known = mail(helo=b"MX.Far.example")
    found(Spf(), known, DictLookups(callouts=FixedCallouts(spf_result=("pass", b""))), "spf-pass")

    assert known.spf_domain == b"mx.far.example"
