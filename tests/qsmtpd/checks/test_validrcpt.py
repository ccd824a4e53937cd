"""Who exists, by each of the databases and by several at once."""

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.validrcpt import RecipientsRule, ValidRcpt
from qsmtpd.drivers.stdio import complete
from tests.qsmtpd.world import DictLookups


def known(recipient: bytes, lookups: DictLookups, text: frozenset[bytes] | None = None, *rules: bytes) -> bool | None:
    check = ValidRcpt(text, tuple(RecipientsRule(rule) for rule in rules) or None, b"bench.test")
    return complete(check.knows(recipient, lookups))


def test_nobody_is_asked() -> None:
    assert known(b"x@bench.test", DictLookups()) is None


def test_simpson_asks_from_the_whole_address_to_the_domain() -> None:
    lookups = DictLookups({"validrcptto.cdb": set()})

    assert known(b"A-b-C@Bench.test", lookups) is False
    assert [key for name, key in lookups.asked if name == "validrcptto.cdb"] == [
        b"a-b-c@bench.test", b"a-b-default@bench.test", b"a-default@bench.test", b"@bench.test"]


@pytest.mark.parametrize(("keys", "verdict"), [
    ({b"a@b"}, True), ({b"-a@b"}, False), ({b"@b"}, True), ({b"-@b"}, False), ({b"a@b", b"-a@b"}, True),
    ({b"-a@b", b"@b"}, False), ({b"@b", b"-@b"}, True), (set(), False)])
@pytest.mark.parametrize("in_text", [True, False])
def test_sagredo_has_an_order(keys: set[bytes], verdict: bool, in_text: bool) -> None:
    lookups = DictLookups({} if in_text else {"morevalidrcptto.cdb": keys})

    assert known(b"a@b", lookups, frozenset(keys) if in_text else None) is verdict


@pytest.mark.parametrize(("rule", "recipient", "verdict"), [
    (b"bench.test:users/r.cdb", b"good@bench.test", True),
    (b"bench.test:users/r.cdb", b"good@sub.bench.test", True),
    (b"@bench.test:users/r.cdb", b"good@sub.bench.test", False),
    (b"*:users/r.cdb", b"list-x@bench.test", True),
    (b"users/r.cdb", b"good@bench.test", True),
    (b"users/r.cdb", b"bad@bench.test", False),
    (b"!bench.test", b"any@bench.test", True),
    (b"!bench.test", b"any@other.test", False),
    (b"!*", b"any@other.test", True),
    (b"other.test:users/r.cdb", b"x@other.test", False)])
def test_sqmail_rules(rule: bytes, recipient: bytes, verdict: bool) -> None:
    lookups = DictLookups({"./users/r.cdb": {b":good@bench.test", b":good@sub.bench.test", b":list-@bench.test"}})

    assert known(recipient, lookups, None, rule) is verdict


def test_a_database_that_is_not_there() -> None:
    """A named one: a fault of ours, no recipient that does not exist."""
    with pytest.raises(LookupFailedError, match=r"none\.cdb: named in control/recipients, and not there"):
        known(b"x@other.test", DictLookups(), None, b"other.test:users/none.cdb")


def test_a_program_that_checks_is_an_error() -> None:
    with pytest.raises(ValueError, match="name a cdb"):
        RecipientsRule(b"bench.test|/bin/check")


def test_one_database_that_knows_is_enough() -> None:
    lookups = DictLookups({"validrcptto.cdb": set(), "morevalidrcptto.cdb": {b"a@bench.test"}})

    assert known(b"a@bench.test", lookups) is True
    assert known(b"b@bench.test", lookups) is False


@pytest.mark.parametrize(("recipient", "verdict"), [(b"POSTMASTER", True), (b"good", True), (b"bad", False)])
def test_names_without_a_domain(recipient: bytes, verdict: bool) -> None:
    assert known(recipient, DictLookups({"validrcptto.cdb": {b"good@bench.test"}})) is verdict


@pytest.mark.parametrize("name", ["validrcptto.cdb", "morevalidrcptto.cdb"])
def test_a_broken_database_is_no_answer(name: str) -> None:
    with pytest.raises(LookupFailedError):
        known(b"a@b", DictLookups(broken=frozenset((name,))))
