"""The small ISP: harvesters, blasters, a flood from 40 addresses, and block lists in tcp.smtp."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.operators.client import Client
from tests.operators.site import PREFIX, Server, Site
from tests.servers import wait_until

GOOD = "you@example.org"


@pytest.fixture
def site(qmail_home: QmailHome, programs: Path) -> Site:
    return Site(qmail_home, programs, "a-small-isp", 1)  # it asks no name server


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.server() as running:
        yield running


def guesses(number: int) -> list[str]:
    """Addresses of which one in a hundred exists."""
    return [GOOD if n % 100 == 55 else f"guess{n}@example.org" for n in range(number)]


def rule(ip: str, setting: str) -> str:
    """A line of tcp.smtp.d, which says again what the rule for everybody says."""
    return f'{ip}:allow,{setting},QMAILQUEUE="{PREFIX}/bin/qqshim"\n'


def test_a_harvester_does_not_find_the_one_in_a_hundred(server: Server) -> None:
    """It comes back as often as it likes: three answers a session say something, the rest is the same for all."""
    left = guesses(200)
    sessions = []
    while left:
        with Client(server.place, "127.66.1.1") as client:
            asked, left = left[:25], left[25:]
            sessions.append(client.rcpt(*asked))

    codes = [[answer[:3] for answer in answers if answer] for answers in sessions]
    assert all(each in (["550"] * 3 + ["452"] * n + ["421"] for n in (6, 7)) for each in codes)
    assert {answers[codes[n].index("421")] for n, answers in enumerate(sessions)} == {
        "421 4.7.0 too many invalid addresses from 127.66.1.1, goodbye"}
    wait_until(lambda: len(server.log("session", "ip=127.66.1.1")) == 8, what="the log")
    assert all(" good=0 bad=10 " in line for line in server.log("session", "ip=127.66.1.1"))


def test_one_message_at_a_time_is_no_better(server: Server) -> None:
    """A harvester that takes a new MAIL for each address."""
    answers = []
    with Client(server.place, "127.66.1.1") as client:
        for guess in guesses(30):
            answers += client.rcpt(guess)

    assert [answer[:3] for answer in answers[:12]] == ["550"] * 9 + ["421", "", ""]


def test_a_blaster_has_three_in_a_message(server: Server, site: Site) -> None:
    """After more than three invalid recipients in a message the valid one is told to come again, like all others."""
    with Client(server.place, "127.66.1.2") as client:
        answers = client.rcpt("guess1@example.org", "guess2@example.org", "guess3@example.org", "guess4@example.org", GOOD)

    assert [answer[:3] for answer in answers] == ["550", "550", "550", "452", "452"]
    assert answers[3] == answers[4]


def test_a_list_server_with_some_old_addresses_is_no_blaster(server: Server) -> None:
    """Most of its recipients exist; four do not, and each is told so."""
    recipients = [f"user{n}@example.org" for n in range(8)] + [f"gone{n}@example.org" for n in range(4)]
    with Client(server.place, "127.66.1.3") as client:
        answers = client.rcpt(*recipients)
        taken = client.data()

    assert [answer[:3] for answer in answers] == ["250"] * 8 + ["550"] * 4
    assert taken.startswith("250 ")


def test_a_list_server_may_be_named(site: Site) -> None:
    """MAILINGLIST in tcp.smtp, for one whose list is older than that."""
    site.parts["10-lists"] = rule("127.66.1.4", 'MAILINGLIST=""')
    with site.server() as server, Client(server.place, "127.66.1.4") as client:
        answers = client.rcpt(*[f"gone{n}@example.org" for n in range(12)], GOOD)

    assert [answer[:3] for answer in answers] == ["550"] * 12 + ["250"]


def test_forty_addresses_at_once_and_the_good_mail_lands(server: Server, site: Site) -> None:
    """A flood of bad addresses from 40 places; whoever sends a message meanwhile has his 250, and it is queued."""
    def attack(number: int) -> list[str]:
        with Client(server.place, f"127.66.2.{number}") as client:
            return client.rcpt(*[f"x{number}y{n}@example.org" for n in range(50)])

    with ThreadPoolExecutor(41) as pool:
        attacks = [pool.submit(attack, number) for number in range(1, 41)]
        with Client(server.place, "127.66.1.5") as client:
            said = client.send()
        answers = [each.result() for each in attacks]

    assert said.startswith("250 2.0.0 ok")
    assert [each[9] for each in answers] == [
        f"421 4.7.0 too many invalid addresses from 127.66.2.{number}, goodbye" for number in range(1, 41)]
    assert not any(answer.startswith("250") for each in answers for answer in each)
    ((text, envelope),) = site.queued()
    assert envelope == f"Fa@sender.test|T{GOOD}||"
    assert text.startswith("X-Frontline-Verdict: "), "it has come through qqshim"


def test_one_address_has_ten_connections(server: Server) -> None:
    clients = [Client(server.place, "127.66.1.6") for _ in range(12)]
    with Client(server.place, "127.66.1.7") as other:
        assert other.greeting.startswith("220 ")
    greetings = [client.greeting[:9] for client in clients]
    for client in clients:
        client.close()

    assert greetings == ["220 mx.be"] * 10 + ["421 4.7.0"] * 2


def test_a_program_blocks_and_forgets(site: Site) -> None:
    """Lines of tcp.smtp.d: 400 for some time, 500 for good, and nothing again after they are taken out; tcpserver runs on."""
    def told(server: Server, ip: str) -> str:
        with Client(server.place, ip) as client:
            return client.rcpt(GOOD)[0]

    block = "50-block"
    later, never = "127.66.3.1", "127.66.3.2"
    site.parts[block] = (
        rule(later, 'RBLSMTPD="a harvester, until tomorrow"') + rule(never, 'RBLSMTPD="-a harvester, for the third time"'))
    with site.server() as server:
        assert told(server, later) == "451 4.7.1 a harvester, until tomorrow"
        assert told(server, never) == "553 5.7.1 a harvester, for the third time"
        assert told(server, "127.66.3.3").startswith("250 ")
        site.parts[block] = ""
        site.build()
        assert told(server, later).startswith("250 ")
        assert told(server, never).startswith("250 ")


def test_who_is_blocked_cannot_tell_who_exists(site: Site) -> None:
    site.parts["50-block"] = rule("127.66.3.4", 'RBLSMTPD="-blocked"')
    with site.server() as server, Client(server.place, "127.66.3.4") as client:
        answers = client.rcpt(GOOD, "guess@example.org")

    assert answers == ["553 5.7.1 blocked"] * 2
