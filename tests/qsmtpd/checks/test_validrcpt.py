"""Who exists, by each of the databases and by several at once."""

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.validrcpt import ValidRcpt
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictLookups


def known(recipient: bytes, lookups: DictLookups, text: frozenset[bytes] | None = None) -> bool | None:
    return complete(ValidRcpt(text, None, b"bench.test").knows(recipient, lookups))


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


def test_mailboxes_elsewhere_are_not_unknown_because_we_do_not_have_them() -> None:
    """Our own users in a database, a friend's at the server behind us: that server is asked about those we do not have."""
    lookups = DictLookups({"validrcptto.cdb": {b"good@bench.test", b"good@friend.test"}})
    check = ValidRcpt(None, None, b"bench.test", lambda host: host == b"friend.test")

    assert [complete(check.knows(address, lookups)) for address in (
        b"good@bench.test", b"bad@bench.test", b"Good@Friend.test", b"bad@FRIEND.test")] == [True, False, True, None]


def test_one_database_that_knows_is_enough() -> None:
    lookups = DictLookups({"validrcptto.cdb": set(), "morevalidrcptto.cdb": {b"a@bench.test"}})

    assert known(b"a@bench.test", lookups) is True
    assert known(b"b@bench.test", lookups) is False


@pytest.mark.parametrize(("recipient", "databases", "verdict"), [
    (b"A@bench.test", {}, True), (b"b@bench.test", {}, False), (b"b@bench.test", {"validrcptto.cdb": {b"b@bench.test"}}, True)])
def test_the_lines_of_recipients_are_one_more(recipient: bytes, databases: dict[str, set[bytes]], verdict: bool) -> None:
    """They have the address in lower case; where they alone are there, what they do not have does not exist."""
    async def have(address: bytes, lookups: DictLookups) -> bool:
        return address == b"a@bench.test"

    assert complete(ValidRcpt(None, have, b"bench.test").knows(recipient, DictLookups(databases))) is verdict


@pytest.mark.parametrize(("recipient", "verdict"), [(b"POSTMASTER", True), (b"good", True), (b"bad", False)])
def test_names_without_a_domain(recipient: bytes, verdict: bool) -> None:
    assert known(recipient, DictLookups({"validrcptto.cdb": {b"good@bench.test"}})) is verdict


@pytest.mark.parametrize("name", ["validrcptto.cdb", "morevalidrcptto.cdb"])
def test_a_broken_database_is_no_answer(name: str) -> None:
    with pytest.raises(LookupFailedError):
        known(b"a@b", DictLookups(broken=frozenset((name,))))
