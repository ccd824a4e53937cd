"""Who exists by s/qmail's control/recipients: databases, and programs."""

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.recipients import Recipients
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictLookups


def has(address: bytes, lookups: DictLookups, *lines: bytes) -> bool:
    return complete(Recipients([*lines]).have(address, lookups))


@pytest.mark.parametrize(("line", "recipient", "verdict"), [
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
def test_databases(line: bytes, recipient: bytes, verdict: bool) -> None:
    lookups = DictLookups({"./users/r.cdb": {b":good@bench.test", b":good@sub.bench.test", b":list-@bench.test"}})

    assert has(recipient, lookups, line) is verdict


def test_a_database_that_is_not_there() -> None:
    """A named one: a fault of ours, no recipient that does not exist."""
    with pytest.raises(LookupFailedError, match=r"none\.cdb: named in control/recipients, and not there"):
        has(b"x@other.test", DictLookups(), b"other.test:users/none.cdb")


@pytest.mark.parametrize(("line", "recipient", "told"), [
    (b"bench.test|bin/check", b"joe@bench.test", [((), b"joe@bench.test\0\0\0")]),
    (b"*|/bin/check -x  y", b"a-b@c", [((b"-x", b"y"), b"a-b@c\0\0\0"), ((b"-x", b"y"), b"a-@c\0\0\0")]),
    (b"@bench.test|bin/check", b"joe@sub.bench.test", [])])
def test_a_program_that_is_asked(line: bytes, recipient: bytes, told: list[tuple[tuple[bytes, ...], bytes]]) -> None:
    """s/qmail's way, that of checkpassword: the address on descriptor 3; A53: never as a part of a command."""
    lookups = DictLookups(exit_code=1)

    assert has(recipient, lookups, line) is False
    assert lookups.told == told
    assert [environment for _, environment in lookups.ran] == [{}] * len(told)


@pytest.mark.parametrize(("code", "verdict"), [(0, True), (1, False), (100, False)])
def test_the_answer_of_a_program(code: int, verdict: bool) -> None:
    assert has(b"x@bench.test", DictLookups(exit_code=code), b"bench.test|check") is verdict


@pytest.mark.parametrize("code", [111, 2, 127, 255])
def test_a_program_in_trouble_is_no_answer(code: int) -> None:
    """A140."""
    with pytest.raises(LookupFailedError, match=f"exit code is {code}"):
        has(b"x@bench.test", DictLookups(exit_code=code), b"bench.test|check")


@pytest.mark.parametrize("line", [b"|bin/check", b"bench.test|", b"bench.test|  "])
def test_a_program_for_nobody_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"host\|program"):
        Recipients([line])


def test_the_first_line_that_has_it_is_enough() -> None:
    lookups = DictLookups({"./a.cdb": set(), "./b.cdb": {b":x@bench.test"}})

    assert has(b"x@bench.test", lookups, b"bench.test:a.cdb", b"bench.test:b.cdb", b"*:none.cdb")
    assert not has(b"x@bench.test", lookups)
