"""Who exists, by each of the databases and by several at once."""

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.validrcpt import RecipientsRule, ValidRcpt
from qsmtpd.rules.atonce import complete
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


def test_mailboxes_elsewhere_are_not_unknown_because_we_do_not_have_them() -> None:
    """Our own users in a database, a friend's at the server behind us: that server is asked about those we do not have."""
    lookups = DictLookups({"validrcptto.cdb": {b"good@bench.test", b"good@friend.test"}})
    check = ValidRcpt(None, None, b"bench.test", lambda host: host == b"friend.test")

    assert [complete(check.knows(address, lookups)) for address in (
        b"good@bench.test", b"bad@bench.test", b"Good@Friend.test", b"bad@FRIEND.test")] == [True, False, True, None]


def test_a_database_that_is_not_there() -> None:
    """A named one: a fault of ours, no recipient that does not exist."""
    with pytest.raises(LookupFailedError, match=r"none\.cdb: named in control/recipients, and not there"):
        known(b"x@other.test", DictLookups(), None, b"other.test:users/none.cdb")


@pytest.mark.parametrize(("rule", "recipient", "told"), [
    (b"bench.test|bin/check", b"Joe@bench.test", [((), b"joe@bench.test\0\0\0")]),
    (b"*|/bin/check -x  y", b"a-b@c", [((b"-x", b"y"), b"a-b@c\0\0\0"), ((b"-x", b"y"), b"a-@c\0\0\0")]),
    (b"@bench.test|bin/check", b"joe@sub.bench.test", [])])
def test_a_program_that_is_asked(rule: bytes, recipient: bytes, told: list[tuple[tuple[bytes, ...], bytes]]) -> None:
    """s/qmail's way, that of checkpassword: the address on descriptor 3; A53: never as a part of a command."""
    lookups = DictLookups(exit_code=1)

    assert known(recipient, lookups, None, rule) is False
    assert lookups.told == told
    assert [environment for _, environment in lookups.ran] == [{}] * len(told)


@pytest.mark.parametrize(("code", "verdict"), [(0, True), (1, False), (100, False)])
def test_the_answer_of_a_program(code: int, verdict: bool) -> None:
    assert known(b"x@bench.test", DictLookups(exit_code=code), None, b"bench.test|check") is verdict


@pytest.mark.parametrize("code", [111, 2, 127, 255])
def test_a_program_in_trouble_is_no_answer(code: int) -> None:
    """A140."""
    with pytest.raises(LookupFailedError, match=f"exit code is {code}"):
        known(b"x@bench.test", DictLookups(exit_code=code), None, b"bench.test|check")


@pytest.mark.parametrize("line", [b"|bin/check", b"bench.test|", b"bench.test|  "])
def test_a_program_for_nobody_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"host\|program"):
        RecipientsRule(line)


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
