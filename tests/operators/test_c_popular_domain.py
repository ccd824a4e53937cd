"""The popular domain: everything that costs less first, and what the expensive filters found as a cheap one."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.nameservers import internet
from tests.operators.client import MAIL, Client
from tests.operators.site import PREFIX, Server, Site
from tests.scanners import EICAR, GTUBE, OFFER, Scanner
from tests.servers import wait_until

GOOD = "you@example.org"
VOUCHED, STRANGER = "127.66.20.1", "127.66.21.1"
"""A client for which the domain sender.test vouches, and one for which it does not."""
AT_ONCE = {"GREETDELAY": "0"}
QUEUE = f'QMAILQUEUE="{PREFIX}/bin/qqshim"'


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    zones = {"sender.test": '@ TXT "v=spf1 ip4:127.66.20.0/24 -all"\n', "nospf.test": "@ A 192.0.2.1\n"}
    with internet(zones) as port:
        yield port


@pytest.fixture
def site(qmail_home: QmailHome, programs: Path, dns: int) -> Site:
    return Site(qmail_home, programs, "c-popular-domain", dns)


def told(server: Server, ip: str, sender: str = "a@sender.test", recipient: str = GOOD) -> str:
    with Client(server.place, ip) as client:
        return client.rcpt(recipient, sender=sender)[0] if client.greeting.startswith("220") else client.greeting


def test_above_the_highest_load_nobody_new_comes_in(site: Site) -> None:
    """Our own users do; below it everybody does."""
    with site.server(settings=AT_ONCE) as server:
        assert told(server, VOUCHED).startswith("250 ")
    site.change("rules", "load > 40 ", "load >= 0 ")
    with site.server(settings=AT_ONCE) as server:
        assert told(server, VOUCHED) == "421 4.3.2 too busy, try again later"
        assert told(server, "127.0.0.1").startswith("250 ")


def test_above_a_lower_load_one_of_ten_comes_in(site: Site) -> None:
    """And all of the whitelist."""
    site.change("rules", "load > 20 ", "load >= 0 ")
    site.home.write("whitelist", "127.66.22.0/24")
    with site.server(settings={**AT_ONCE, "RULESEED": "2026"}) as server:
        answers = []
        for port in range(21000, 21060):
            with Client(server.place, VOUCHED, port) as client:
                answers.append(client.greeting)
        friends = [told(server, f"127.66.22.{number}")[:3] for number in range(1, 6)]

    deferred = answers.count("421 4.3.2 too busy, try again later")
    assert 45 <= deferred < 60
    assert sum(answer.startswith("220 ") for answer in answers) == len(answers) - deferred
    assert friends == ["250"] * 5


def test_above_a_load_mail_is_only_queued(site: Site) -> None:
    """It is in the spool of holdq, not in the queue, and the client has his 250."""
    site.change("rules", "load > 10 ", "load >= 0 ")
    command = [site.installation / "bin/holdq", "init", "--one-uid"]
    subprocess.run(command, check=True, capture_output=True, env={"QMAILHOME": str(site.home.path), "PATH": "/usr/bin:/bin"})
    with site.server(settings=AT_ONCE) as server, Client(server.place, VOUCHED) as client:
        assert client.send().startswith("250 ")

    (held,) = (site.home.path / "holdq/incoming").iterdir()
    assert b"Hello" in held.read_bytes()
    assert site.queued() == []


def test_the_greeting_waits_and_who_does_not_is_out(site: Site) -> None:
    site.parts["10-friends"] = f'127.66.23.1:allow,GREETDELAY="0",{QUEUE}\n'
    with site.server(settings={"GREETDELAY": "1"}) as server:
        begin = time.monotonic()
        with Client(server.place, VOUCHED) as patient:
            waited = time.monotonic() - begin
            assert patient.send().startswith("250 ")
        with socket.create_connection(server.place, 10, (VOUCHED, 0)) as hasty:
            hasty.sendall(b"EHLO mail.sender.test\r\nMAIL FROM:<a@sender.test>\r\n")
            answer = hasty.makefile("rb").read()
        begin = time.monotonic()
        with Client(server.place, "127.66.23.1") as friend:
            assert friend.greeting.startswith("220 ")
        assert time.monotonic() - begin < waited

    assert waited >= 1
    assert answer == b"554 5.7.1 you talk before you are greeted, goodbye\r\n"


def test_our_own_list_and_the_whitelist(site: Site) -> None:
    """The whitelist is above the list, and above what would take it long."""
    site.home.write("locallist", "127.66.24.0/24")
    site.home.write("whitelist", "127.66.24.9")
    with site.server(settings=AT_ONCE) as server:
        assert told(server, "127.66.24.1") == (
            "550 5.7.1 no mail from your network, 127.66.24.1: write to postmaster@example.org")
        assert told(server, "127.66.24.9", "a@nospf.test").startswith("250 ")


def test_who_has_sent_a_virus_is_kept_out_for_some_hours(site: Site) -> None:
    """control/blocklist.cdb, made as the README says; the entry ends by itself."""
    def listed(*lines: str) -> None:
        cdb = site.home.control / "blocklist.cdb"
        subprocess.run(["cdb", "-c", "-m", cdb], input="".join(f"{line}\n" for line in lines), text=True, check=True)

    now = int(time.time())
    listed(f"127.66.25.1 451 {now + 3600} a virus has come from you", f"127.66.25.2 451 {now - 1} a virus has come from you",
           f"127.66.26.0/24 550 {now + 3600} viruses have come from your network")
    with site.server(settings=AT_ONCE) as server:
        until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now + 3600))
        assert told(server, "127.66.25.1") == f"421 4.7.1 blocked until {until}: a virus has come from you"
        assert told(server, "127.66.25.2", "").startswith("250 ")
        assert told(server, "127.66.26.77") == "553 5.7.1 viruses have come from your network"
        listed("127.66.25.9 451 1 long ago")
        assert told(server, "127.66.25.1", "").startswith("250 ")


def pipe(site: Site, log: Path) -> str:
    """The shell commands of the README that make the list, from this log."""
    (found,) = re.findall(r"^ +(awk .*?blocklist\.cdb)$", (site.place / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert "/service/qsmtpd/log/main/current" in found
    return str(found.replace("/service/qsmtpd/log/main/current", str(log)))


def test_what_a_scanner_has_found_is_a_test_at_connect(site: Site, clamd: Scanner) -> None:
    """The first message costs a scan, and its sender is told; the next connection costs its address."""
    site.home.write("clamd", clamd.tcp)
    with site.server(settings=AT_ONCE) as server:
        with Client(server.place, VOUCHED) as client:
            assert client.send(text=f"{MAIL}\r\n{EICAR.decode()}\r\n").startswith("554 5.7.1 sorry, this message has a virus: ")
        wait_until(lambda: any("virus=" in line for line in server.log("message")), what="the log")
        subprocess.run(pipe(site, server.path), shell=True, check=True, cwd=site.home.control)

        assert told(server, VOUCHED).startswith("421 4.7.1 blocked until ")
        assert told(server, VOUCHED).endswith(" UTC: a virus has come from you")
        assert told(server, "127.66.20.2").startswith("250 ")
    assert site.queued() == []


def test_nobody_writes_others_onto_the_list(site: Site) -> None:
    """A sender may have blanks in it, and what he likes behind them."""
    log = site.home.path / "current"
    log.write_text(
        "message qp=1 ip=127.66.25.1 from=a@b.test virus=Eicar verdict=refused\n"
        'message qp=2 ip=127.66.25.2 from="x ip=127.66.25.3 "@b.test virus=Eicar verdict=refused\n'
        "message qp=3 ip=127.66.25.4 from=a@b.test score=1.0\n")
    subprocess.run(pipe(site, log), shell=True, check=True, cwd=site.home.control)
    with site.server(settings=AT_ONCE) as server:
        answers = {number: told(server, f"127.66.25.{number}", "")[:3] for number in range(1, 5)}

    assert answers == {1: "421", 2: "421", 3: "250", 4: "250"}


def test_the_statistical_filter_comes_last(site: Site, spamd: Scanner) -> None:
    """What is spam is refused while its sender listens; thrown away in silence is only what is blatant; the rest is queued."""
    def sent(body: bytes) -> str:
        with Client(server.place, VOUCHED) as client:
            return client.send(text=f"{MAIL}\r\n{body.decode()}\r\n")

    site.home.write("spamd", spamd.tcp)
    with site.server(settings=AT_ONCE) as server:
        assert sent(OFFER) == "554 5.7.1 sorry, this message looks like spam, its score is 6.5"
        assert sent(GTUBE).startswith("250 ")
        assert site.queued() == []
        assert sent(b"see you tomorrow").startswith("250 ")
        assert len(site.queued()) == 1


def test_a_forged_sender_is_refused_by_his_own_domain(site: Site) -> None:
    """A real TXT record, and pyspf under the memory limit of the run script."""
    with site.server(settings=AT_ONCE) as server:
        assert told(server, STRANGER) == f"550 5.7.23 {STRANGER} may not send mail of a@sender.test: SPF: fail for sender.test"
        assert told(server, VOUCHED).startswith("250 ")


def test_a_stranger_comes_again_and_is_let_in(site: Site) -> None:
    """With three seconds in the place of five minutes.  A bounce is not made to wait: others call out with that."""
    site.change("rules", "greylist 451", "greylist 0.05 451")
    with site.server(settings=AT_ONCE) as server:
        assert told(server, STRANGER, "a@nospf.test") == "451 4.7.1 we have not met before, try again in some minutes"
        assert told(server, STRANGER, "a@nospf.test").startswith("451 ")
        time.sleep(3.1)
        with Client(server.place, STRANGER) as client:
            assert client.send(sender="a@nospf.test").startswith("250 ")
        assert told(server, STRANGER, "b@nospf.test").startswith("451 "), "another sender is another one"
        assert told(server, STRANGER, "").startswith("250 ")


MIXED = f"{MAIL}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n"


def test_the_emergency_is_one_word_in_tcp_smtp(site: Site) -> None:
    with site.server(settings=AT_ONCE) as server:
        with Client(server.place, VOUCHED) as client:
            assert client.send(text=MIXED).startswith("250 ")
        site.parts["00-emergency"] = f'127.66.20.:allow,NOMIXED="",{QUEUE}\n'
        site.build()
        with Client(server.place, VOUCHED) as client:
            assert client.send(text=MIXED) == "554 5.6.1 no attachments for the time being: please send the text alone"
        with Client(server.place, VOUCHED) as client:
            assert client.send().startswith("250 "), "plain text still comes in"
    assert len(site.queued()) == 2


def test_mail_that_names_somebody_else(site: Site) -> None:
    """Whoever is vouched for may send lists and blind copies."""
    site.change("rules", "greylist 451", "greylist 0 451")
    blind = MAIL.replace(GOOD, "somebody@else.test") + "\r\nx\r\n"
    with site.server(settings=AT_ONCE) as server:
        with Client(server.place, STRANGER) as client:
            assert client.send(text=blind, sender="a@nospf.test") == f"550 5.7.1 {GOOD} is in neither To nor Cc of your message"
        with Client(server.place, STRANGER) as client:
            assert client.send(sender="a@nospf.test").startswith("250 ")
        with Client(server.place, VOUCHED) as client:
            assert client.send(text=blind).startswith("250 ")


def test_what_is_not_right_is_put_where_a_person_looks(site: Site) -> None:
    """The client is told 250, and the recipient does not get it."""
    with site.server(settings=AT_ONCE) as server, Client(server.place, VOUCHED) as client:
        assert client.send(text=f"From: <b@sender.test>\r\n{MAIL}\r\nx\r\n").startswith("250 ")
        (aside,) = server.log("aside")
    assert f" to={GOOD} verdict=quarantine " in aside
    ((_, envelope),) = site.queued()
    assert envelope == "Fa@sender.test|Tquarantine@example.org||"
