"""locals, virtualdomains and rcpthosts, as qmail-send and qmail-smtpd read them."""

import cdbx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.qmail.control import Control, ControlError
from tests.tools.qmailsite import Site
from tools.validusers.domains import RcptHosts, Routes, read_rcpthosts, read_routes, tails

ROUTES = Routes([b"Here.test"], [
    b"nowhere.mil:Joe-foo", b"boss@nowhere.mil:boss", b".fax:uucp-fax", b"not.fax:", b".sub.test:sub", b"here.test:never",
    b"no colon", b"twice.test:first", b"twice.test:last"])


@pytest.mark.parametrize(("user", "domain", "local"), [
    (b"info", b"here.test", b"info"),
    (b"info", b"nowhere.mil", b"joe-foo-info"),
    (b"boss", b"nowhere.mil", b"boss-boss"),
    (b"info", b"a.b.fax", b"uucp-fax-info"),
    (b"info", b"not.fax", None),
    (b"info", b"x.sub.test", b"sub-info"),
    (b"info", b"sub.test", None),
    (b"info", b"twice.test", b"last-info"),
    (b"info", b"elsewhere.test", None),
])
def test_where_an_address_goes(user: bytes, domain: bytes, local: bytes | None) -> None:
    """The examples of qmail-send(8), and what its constmap makes of two lines for one word."""
    assert ROUTES.local_part(user, domain) == local


@pytest.mark.parametrize("domain", [b"here.test.evil.example", b"x.here.test", b"nothere.test", b"fax", b"evilfax"])
def test_suffixes_are_not_confused(domain: bytes) -> None:
    """A61: a domain matches as a whole, and a suffix only for a word that begins with a dot."""
    assert ROUTES.local_part(b"info", domain) is None
    assert not RcptHosts([b"here.test", b".fax"]).allows(domain)


def test_a_word_for_everything_else() -> None:
    routes = Routes([], [b":catchall", b"not.test:"])

    assert routes.local_part(b"info", b"any.test") == b"catchall-info"
    assert routes.local_part(b"info", b"not.test") is None
    assert routes.wildcards() == [b""]


def test_virtual_users_and_domains_are_named() -> None:
    assert list(ROUTES.users()) == [(b"boss", b"nowhere.mil")]
    assert ROUTES.domains() == {b"here.test", b"nowhere.mil", b"not.fax", b"twice.test"}
    assert ROUTES.beginning(b"here.test") == b""
    assert ROUTES.beginning(b"nowhere.mil") == b"joe-foo-"
    assert ROUTES.beginning(b"not.fax") is None


WORD = st.sampled_from([b"a.b", b"b", b".b", b"", b"u@a.b", b"u@b", b".a.b"])


@given(st.lists(st.tuples(WORD, st.sampled_from([b"", b"p", b"q"]))), st.sampled_from([b"a.b", b"b", b"c.a.b", b"c"]))
def test_order_of_virtualdomains(rows: list[tuple[bytes, bytes]], domain: bytes) -> None:
    """The whole address, its domain, each tail that begins with a dot, the empty word; of equal words the last."""
    table = dict(rows)
    words = [b"u@" + domain, domain, *tails(domain), b""]

    prepend = next((table[word] for word in words if word in table), b"")

    local = Routes([], [word + b":" + value for word, value in rows]).local_part(b"u", domain)
    assert local == (prepend + b"-u" if prepend else None)


def test_rcpthosts() -> None:
    hosts = RcptHosts([b"Here.test", b".Wild.test"])

    assert hosts.allows(b"here.test")
    assert hosts.allows(b"a.b.wild.test")
    assert not hosts.allows(b"wild.test")
    assert hosts.domains() == {b"here.test"}
    assert hosts.wildcards() == {b".wild.test"}


def test_without_rcpthosts_qmail_takes_all() -> None:
    assert RcptHosts(None).allows(b"any.test")
    assert not RcptHosts([]).allows(b"any.test")


def test_files_and_their_defaults(site: Site) -> None:
    control = Control(str(site.control))
    assert read_routes(control).locals == {b"here.test"}

    site.write("locals", "# a comment", "one.test ")
    site.write("virtualdomains", "two.test:joe", "# three.test:joe")

    assert read_routes(control).locals == {b"one.test"}
    assert read_routes(control).domains() == {b"one.test", b"two.test"}


def test_more_domains_in_a_cdb(site: Site) -> None:
    maker = cdbx.CDB.make(str(site.control / "morercpthosts.cdb"))
    maker.add(b"more.test", b"")
    maker.commit().close()
    control = Control(str(site.control))

    assert read_rcpthosts(control).domains() == {b"here.test", b"more.test"}
    (site.control / "rcpthosts").unlink()
    assert read_rcpthosts(control).absent


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff" * 3000])
def test_a_damaged_morercpthosts_is_no_empty_one(site: Site, data: bytes) -> None:
    """A130: or all its domains would be refused."""
    (site.control / "morercpthosts.cdb").write_bytes(data)

    with pytest.raises(ControlError, match="damaged; run qmail-newmrh"):
        read_rcpthosts(Control(str(site.control)))
