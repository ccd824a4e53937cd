"""The shape that all sources share."""

from pathlib import Path

import pytest

from qsmtpd.qmail.control import Control
from tests.tools.qmailsite import Site, dot_qmail, write_list
from tools.validusers import passwd
from tools.validusers.assignments import Users
from tools.validusers.domains import RcptHosts, read_routes
from tools.validusers.lists import List
from tools.validusers.mailboxes import Mailboxes
from tools.validusers.qmail import Qmail
from tools.validusers.report import Report
from tools.validusers.sources import Source


@pytest.fixture
def sources(site: Site, tmp_path: Path) -> list[Source]:
    """One of each."""
    site.write("virtualdomains", "v.test:joe", "boss@v.test:joe")
    site.account("joe", "-Info", "-boss", "-x-default")
    dot_qmail(site.alias, "-postmaster")
    hosts, report = RcptHosts([b"here.test", b"v.test", b"relayed.test"]), Report()
    users = Users(passwd.read(passwd.accounts(site.passwd), b"-", report))
    qmail = Qmail(Mailboxes(users, report), read_routes(Control(str(site.control))), hosts, report)
    known = List(write_list(tmp_path / "list", ["Joe@HERE.test"]), hosts, report)
    return [known.source(), *qmail.sources(), qmail.relayed([])]


def test_all_have_a_name_of_their_own(sources: list[Source]) -> None:
    names = [source.name for source in sources]

    assert names[1:] == ["/etc/passwd", "~alias", "virtual domains", "virtual users", "relayed domains"]
    assert len(set(names)) == len(names)


def test_all_give_keys(sources: list[Source]) -> None:
    for source in sources:
        keys = list(source.keys)

        assert keys, source.name
        assert all(key == key.lower() and key.count(b"@") == 1 and b"\n" not in key for key in keys)
