"""control/rcpthosts and morercpthosts.cdb: who is let in, against qmail's own rule written down again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.checks.rcpthosts import RcptHosts, with_suffixes
from tests.qsmtpd.world import DictLookups

HOSTS = st.lists(st.sampled_from([b"a", b"b", b"test", b"."]), max_size=6).map(b"".join)


def allowed(host: bytes, listed: set[bytes]) -> bool:
    """rcpthosts.c: the whole, then every tail that begins at a dot."""
    return any(host[j:] in listed for j in range(len(host)) if j == 0 or host[j:j + 1] == b".")


@given(HOSTS, st.sets(HOSTS, max_size=4), st.sets(HOSTS, max_size=4))
def test_as_qmail_does(host: bytes, listed: set[bytes], more: set[bytes]) -> None:
    lookups = DictLookups({"morercpthosts.cdb": more})

    ours = RcptHosts(frozenset(listed)).has(host, None, lookups)

    assert ours == (host != b"" and allowed(host, listed | more)) or (host == b"" and b"" in listed | more)


@pytest.mark.parametrize("host", [b"bench.test", b""])
def test_without_the_file_nobody_is_let_in(host: bytes) -> None:
    lookups = DictLookups({"morercpthosts.cdb": {b"bench.test"}})

    assert not RcptHosts(None).has(host, None, lookups)


def test_relay_clients_and_local_names() -> None:
    check = RcptHosts(frozenset())

    assert check.has(b"far.test", b"", DictLookups())
    assert check.has(None, None, DictLookups())


def test_a_broken_database_is_no_answer() -> None:
    with pytest.raises(LookupFailedError):
        RcptHosts(frozenset()).has(b"y", None, DictLookups(broken=frozenset(("morercpthosts.cdb",))))


def test_with_suffixes() -> None:
    assert with_suffixes(b"a.b.test") == [b"a.b.test", b".b.test", b".test"]
    assert with_suffixes(b"") == [b""]
