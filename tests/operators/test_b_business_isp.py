"""The business ISP: four lists, filters that leak on purpose, and evidence in the header."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.lookups.blocking import BlockingLookups
from qsmtpd.qmail.control import Control
from tests.conftest import QmailHome
from tests.nameservers import internet
from tests.operators.client import Client
from tests.operators.site import Server, Site
from tests.operators.world import listing

GOOD = "you@example.org"
SEED = "2026"

ORBS, RSS, RBL, DUL = 8, 4, 2, 1
"""Whose bit is set in the last number of a client's address has it on the list."""


def listed(bit: int) -> list[str]:
    return [f"127.66.10.{number}" for number in range(16) if number & bit]


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    lists = {"orbs": ORBS, "rss": RSS, "rbl": RBL, "dul": DUL}
    with internet({}, {f"{name}.dnsbl.example": listing(*listed(bit)) for name, bit in lists.items()}) as port:
        yield port


@pytest.fixture
def site(qmail_home: QmailHome, programs: Path, dns: int) -> Site:
    return Site(qmail_home, programs, "b-business-isp", dns)


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.server(settings={"RULESEED": SEED}) as running:
        yield running


def told(server: Server, number: int, *recipients: str) -> list[str]:
    with Client(server.place, f"127.66.10.{number}") as client:
        return client.rcpt(*(recipients or (GOOD,)))


@pytest.mark.parametrize(("number", "lists"), [
    (ORBS | RSS, "orbs rss"), (ORBS | RBL, "orbs rbl"), (ORBS | RSS | RBL, "orbs rss rbl"), (ORBS | RBL | DUL, "orbs rbl")])
def test_an_open_relay_of_which_others_complain_is_refused(server: Server, number: int, lists: str) -> None:
    assert told(server, number) == [f"550 5.7.1 127.66.10.{number} is listed by {lists}"]


def test_a_dial_up_address_has_one_recipient_a_session(server: Server, site: Site) -> None:
    with Client(server.place, f"127.66.10.{DUL}") as client:
        answers = client.rcpt(GOOD, "user1@example.org", "user2@example.org")
        taken = client.data()
        again = client.rcpt("user1@example.org")
    with Client(server.place, f"127.66.10.{DUL}") as client:
        another = client.rcpt("user1@example.org")

    later = "452 4.5.3 127.66.10.1 is a dial-up address: one recipient at a time"
    assert answers[0].startswith("250 ")
    assert answers[1:] == [later, later]
    assert taken.startswith("250 ")
    assert again == [later], "it is the session that has one, not the message"
    assert another[0].startswith("250 ")
    ((text, envelope),) = site.queued()
    assert envelope == f"Fa@sender.test|T{GOOD}||"
    assert "\nX-DNSBL: dul\n" in text


@pytest.mark.parametrize(("number", "lists"), [(ORBS, "orbs"), (RBL, "rbl"), (RBL | DUL, "rbl dul"), (0, "")])
def test_what_is_let_through_says_which_lists_have_its_client(server: Server, site: Site, number: int, lists: str) -> None:
    """What the client has put there himself is not what we say."""
    with Client(server.place, f"127.66.10.{number}") as client:
        assert client.send(text="X-DNSBL: nobody\r\nTo: <you@example.org>\r\n\r\nx\r\n").startswith("250 ")

    ((text, _),) = site.queued()
    assert [line for line in text.split("\n") if line.startswith("X-DNSBL:")] == ([f"X-DNSBL: {lists}"] if lists else [])


SESSIONS = 200
FIRST_PORT = 20000


def test_ninety_of_a_hundred_sessions_of_a_relay_are_deferred(server: Server, site: Site) -> None:
    """By chance; with ruleseed the same sessions each time: it is drawn from the client's address and port."""
    ip = f"127.66.10.{RSS}"
    lines = (site.home.control / "rules").read_text().split("\n")
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("rss "))
    answers, drawn = [], []
    for port in range(FIRST_PORT, FIRST_PORT + SESSIONS):
        with Client(server.place, ip, port) as client:
            answers.append(client.rcpt(GOOD)[0])
        seed = f"{SEED} {ip} {port}".encode()
        lookups = BlockingLookups(Control(str(site.home.control)), "", now=0, note=lambda why: None, seed=seed)
        drawn.append(lookups.draw(line) < 90)

    deferred = [answer == f"451 4.7.1 {ip} is listed by rss, try again later" for answer in answers]
    assert deferred == drawn
    assert all(answer.startswith("250 ") for answer, now in zip(answers, deferred, strict=True) if not now)
    assert SESSIONS * 0.85 < sum(deferred) < SESSIONS * 0.95


def test_one_draw_is_for_the_whole_session(server: Server) -> None:
    """Who tries ten recipients has no ten chances."""
    for port in range(FIRST_PORT, FIRST_PORT + 12):
        with Client(server.place, f"127.66.10.{RSS}", port) as client:
            assert len({answer[:3] for answer in client.rcpt(*[f"user{n}@example.org" for n in range(5)])}) == 1


def test_pseudo_random_addresses_do_not_bounce(server: Server) -> None:
    """Ten thousand of them on one weekend: here a session of 30."""
    with Client(server.place, "127.66.11.1") as client:
        answers = client.rcpt(*[f"qx{n * 7919 % 10000}@example.org" for n in range(30)])

    assert [answer[:3] for answer in answers] == ["550"] * 10 + ["421"] + [""] * 19


def test_when_a_list_is_gone_nobody_is_refused(site: Site) -> None:
    """A zone that does not exist any more lists nobody, its test point neither."""
    site.change("tags", "orbs.dnsbl.example", "gone.dnsbl.example")
    with site.server() as server:
        assert told(server, ORBS | RBL)[0].startswith("250 ")
        assert told(server, DUL, GOOD, "user1@example.org")[1].startswith("452 ")
        assert any("gone.dnsbl.example is not asked for a while" in line for line in server.log("lookup"))
