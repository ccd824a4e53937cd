"""Addresses brought to domains: what is accepted, what rcpthosts shuts out, what validrcptto.cdb cannot say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.qmailsite import Site, dot_qmail, write_list
from tools.validusers.assignments import Assignment, Users
from tools.validusers.domains import RcptHosts, Routes
from tools.validusers.mailboxes import Mailboxes
from tools.validusers.qmail import Qmail
from tools.validusers.report import Report


def test_every_local_domain_has_every_local_address(site: Site) -> None:
    site.write("locals", "one.test", "Two.test")
    site.write("rcpthosts", "one.test", "two.test")
    site.account("joe")

    assert site.build() == {"joe@one.test", "joe@two.test", "alias@one.test", "alias@two.test"}


def test_a_catch_all(site: Site) -> None:
    dot_qmail(site.alias, "-default")

    assert "@here.test" in site.build()


def test_a_virtual_domain_of_alias(site: Site) -> None:
    site.write("rcpthosts", "v.test", "all.test")
    site.write("virtualdomains", "v.test:alias-v", "all.test:alias-all")
    site.write("locals", "")
    dot_qmail(site.alias, "-v-info", "-v-x:y", "-v-box-default", "-all-default", "-other")

    assert site.build() == {"info@v.test", "x.y@v.test", "box-default@v.test", "@all.test", "default@all.test"}


def test_virtual_users_and_exceptions(site: Site) -> None:
    """boss has a rule of his own, out goes to another host, nobody's rule leads to no mailbox."""
    site.write("rcpthosts", "here.test", "v.test")
    site.write("virtualdomains", "v.test:joe", "boss@v.test:ann", "out@v.test:", "nobody@v.test:ann", "boss@here.test:ann")
    site.account("joe", "-boss", "-out", "-sales", "-nobody")
    site.account("ann", "-boss")

    assert site.build() == {
        "alias@here.test", "joe@here.test", "joe-boss@here.test", "joe-out@here.test", "joe-sales@here.test",
        "joe-nobody@here.test", "ann@here.test", "ann-boss@here.test", "sales@v.test", "boss@v.test", "out@v.test"}


def test_a_wildcard_of_virtualdomains_serves_the_domains_that_rcpthosts_names(site: Site) -> None:
    site.write("rcpthosts", "here.test", "a.sub.test")
    site.write("virtualdomains", ".sub.test:joe")
    site.account("joe", "-info")

    assert "info@a.sub.test" in site.build()


def test_what_rcpthosts_shuts_out_is_said(site: Site) -> None:
    site.write("virtualdomains", "shut.test:joe")
    site.account("joe", "-info")

    code, _, err = site.run()

    assert code == 0
    assert err == "validusers: warning: shut.test is left out: it is not in control/rcpthosts, its mail is refused anyway\n"
    assert not any(key.endswith("@shut.test") for key in site.addresses())


def test_a_relayed_domain_takes_every_address_unless_a_list_knows_better(site: Site, tmp_path: Path) -> None:
    """A backup MX must not refuse its neighbour's users because it does not know them."""
    site.write("rcpthosts", "here.test", "backup.test")

    code, _, err = site.run()

    assert code == 0
    assert "every address at backup.test is accepted: its mail is handed to another host" in err
    assert "@backup.test" in site.addresses()

    known = write_list(tmp_path / "list", ["boss@backup.test"])
    assert site.build("--list", known) == {"alias@here.test", "boss@backup.test"}


def test_a_wildcard_of_rcpthosts_cannot_be_said(site: Site) -> None:
    site.write("rcpthosts", "here.test", ".here.test")

    _, _, err = site.run()

    assert ".here.test in control/rcpthosts: all domains below it are refused, for validrcptto.cdb has no wildcard" in err


def test_without_rcpthosts_it_is_said(site: Site) -> None:
    (site.control / "rcpthosts").unlink()

    code, _, err = site.run()

    assert code == 0
    assert "there is no control/rcpthosts: qmail-smtpd relays for the world" in err


def test_what_cannot_be_said_narrowly_is_accepted_and_told(site: Site) -> None:
    """With another break character joe+anything@ has no key: a valid address is never refused for that."""
    site.account("joe", "-default")

    code, _, err = site.run("--break", "+")

    assert code == 0
    assert "@here.test" in site.addresses()
    assert 'every address at here.test is accepted, for validrcptto.cdb cannot say "all that begin with joe+"' in err


def test_many_virtual_domains_are_quick(site: Site) -> None:
    """A thousand domains of a thousand wildcards: each is looked up, not compared with all."""
    domains = [f"d{number}.test" for number in range(1000)]
    home = site.home("all", *(f"-{domain.replace('.', ':')}-default" for domain in domains))
    site.write("rcpthosts", *domains)
    site.write("locals", "")
    site.write("virtualdomains", *(f"{domain}:{domain}" for domain in domains))
    site.assign(*(f"+{domain}-:all:1:1:{home}:-:{domain}-:" for domain in domains))

    assert site.build() >= {f"@{domain}" for domain in domains}


def looked_up(address: bytes) -> Iterator[bytes]:
    """The keys that a reader of validrcptto.cdb tries, first to last."""
    user, _, domain = address.rpartition(b"@")
    yield address
    for end in range(len(user) - 1, -1, -1):
        if user[end:end + 1] == b"-":
            yield user[:end] + b"-default@" + domain
    yield b"@" + domain


WORDS = st.lists(st.sampled_from(["a", "b", "default", ""]), max_size=3).map("-".join)


COVERED = st.sampled_from(["v.test", ".test", "a@v.test", "a-b@w.test", "w.test", ""])


@given(st.frozensets(WORDS, max_size=5), st.lists(st.tuples(st.booleans(), WORDS, st.booleans(), WORDS), max_size=4),
       st.lists(st.tuples(COVERED, WORDS), max_size=4), WORDS)
def test_no_address_that_qmail_would_deliver_is_refused(
        tmp_path_factory: pytest.TempPathFactory, files: frozenset[str], rows: list[tuple[bool, str, bool, str]],
        virtual: list[tuple[str, str]], user: str) -> None:
    """Whatever the files: looked up as qsmtpd does, at a local, a virtual and a third domain."""
    place = tmp_path_factory.mktemp("home")
    dot_qmail(place, *(f"-{name}" for name in files))
    assignments = [Assignment(local.encode(), wild, bytes(place), b"-" if dash else b"", ext.encode(), "f")
                   for wild, local, dash, ext in rows]
    mailboxes = Mailboxes(Users(assignments), Report())
    routes = Routes([b"here.test"], [f"{word}:{prepend}".encode() for word, prepend in virtual])
    domains = [b"here.test", b"v.test", b"w.test"]
    qmail = Qmail(mailboxes, routes, RcptHosts(domains), Report())
    keys = {key for source in (*qmail.sources(), qmail.relayed([])) for key in source.keys}

    for domain in domains if user else []:
        address = user.encode() + b"@" + domain
        local = routes.local_part(user.encode(), domain)
        if local is None or mailboxes.delivered(local):
            assert not keys.isdisjoint(looked_up(address)), address
