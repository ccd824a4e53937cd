"""The filtering service: three MX hosts, of which one is bait, and one greylists whom it suspects."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.nameservers import internet
from tests.operators.client import Client
from tests.operators.senders import QmailSender, Sender
from tests.operators.site import Server, Site
from tests.operators.world import listing, names
from tests.servers import free_port, wait_until

GOOD = "you@example.org"
LOWEST, SECOND, HIGHEST = "127.0.81.1", "127.0.81.2", "127.0.81.3"

FINE, GENERIC, NAMELESS, LYING, DYNAMIC, SECOND_RATE, FIRST_RATE, REPUTED = (f"127.66.{30 + number}.1" for number in range(8))
"""Each in a netblock of its own: greylisting takes a netblock for one client."""
SUSPICIOUS = (GENERIC, NAMELESS, LYING, DYNAMIC, SECOND_RATE)

ZONES = {
    "127.in-addr.arpa": names({
        FINE: "mail.fine.test", GENERIC: "dsl-127-66-31-1.provider.test", LYING: "mail.bank.test", DYNAMIC: "mail.dynamic.test",
        SECOND_RATE: "mail.second.test", FIRST_RATE: "mail.first.test"}),
    "test": "".join(f"{name} A {address}\n" for name, address in {
        "mail.fine": FINE, "dsl-127-66-31-1.provider": GENERIC, "mail.bank": "192.0.2.1", "mail.dynamic": DYNAMIC,
        "mail.second": SECOND_RATE, "mail.first": FIRST_RATE}.items()),
    "example.org": "".join(f"@ MX {level}0 mx{level}\nmx{level} A {address}\n" for level, address in (
        (1, LOWEST), (2, SECOND), (3, HIGHEST))),
}
LISTS = {
    "dynamic.dnsbl.example": listing(DYNAMIC, REPUTED), "second.dnsbl.example": listing(SECOND_RATE, REPUTED),
    "first.dnsbl.example": listing(FIRST_RATE, REPUTED), "list.dnswl.example": listing(REPUTED)}


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    with internet(ZONES, LISTS) as port:
        yield port


@pytest.fixture
def site(qmail_home: QmailHome, programs: Path, dns: int) -> Site:
    """With three seconds in the place of the ten minutes."""
    site = Site(qmail_home, programs, "d-filtering-service", dns)
    site.change("rules", "greylist 10 ", "greylist 0.05 ")
    return site


@pytest.fixture
def hosts(site: Site) -> Iterator[dict[str, Server]]:
    """The three of them, by their addresses, on one port."""
    port = free_port()
    with ExitStack() as stack:
        yield {address: stack.enter_context(site.server(rules=f"mx{level}/tcp.smtp", address=address, port=port))
               for level, address in enumerate((LOWEST, SECOND, HIGHEST), 1)}


def port(hosts: dict[str, Server]) -> int:
    return hosts[LOWEST].port


def told(server: Server, ip: str) -> str:
    with Client(server.place, ip) as client:
        return client.rcpt(GOOD)[0] if client.greeting.startswith("220") else client.greeting


def test_the_highest_is_bait(hosts: dict[str, Server]) -> None:
    """Everybody is told to go elsewhere, and nothing is looked up for it."""
    answers = {ip: told(hosts[HIGHEST], ip) for ip in (FINE, *SUSPICIOUS, FIRST_RATE, REPUTED)}

    assert set(answers.values()) == {"421 4.3.2 not here: try our other MX hosts"}
    wait_until(lambda: len(hosts[HIGHEST].log("session", "tags=mx-highest ")) == 8, what="the log")
    assert not any(word in line for line in hosts[HIGHEST].log("session") for word in ("noptr", "dynamic", "reputation"))


def test_who_begins_at_the_bait_is_gone(hosts: dict[str, Server]) -> None:
    """A spammer that tries the highest first, and no other."""
    assert told(hosts[HIGHEST], NAMELESS).startswith("421 ")
    assert hosts[SECOND].log("rcpt") == []


def test_a_real_server_goes_on_to_the_second_at_once(hosts: dict[str, Server], site: Site, dns: int) -> None:
    for number, ip in enumerate(SUSPICIOUS, 1):
        attempt = Sender(ip, dns, port(hosts)).attempt(GOOD)

        assert attempt.delivered, ip
        assert attempt.asked == [LOWEST, SECOND]
        assert len(site.queued()) == number


def test_who_is_not_suspicious_is_let_in_by_the_lowest(hosts: dict[str, Server], dns: int) -> None:
    attempt = Sender(FINE, dns, port(hosts)).attempt(GOOD)

    assert (attempt.delivered, attempt.asked) == (True, [LOWEST])


def test_a_server_on_qmail_gets_through_the_lowest(hosts: dict[str, Server], site: Site, dns: int) -> None:
    """It never comes to the second; what it was told there ends its attempt, and the next begins with the lowest again."""
    sender = QmailSender(GENERIC, dns, port(hosts))
    first, second = sender.attempt(GOOD), sender.attempt(GOOD)
    time.sleep(3.1)
    third = sender.attempt(GOOD)

    assert first.answer == second.answer == "451 4.7.1 try our next MX host"
    assert third.delivered
    assert first.asked == second.asked == third.asked == [LOWEST]
    assert len(site.queued()) == 1


def test_a_hit_and_run_sender_comes_once(hosts: dict[str, Server], site: Site) -> None:
    for number in range(20):
        with Client(hosts[LOWEST].place, NAMELESS) as client:
            assert client.send(sender=f"x{number}@spam.test", recipient=f"user{number}@example.org").startswith("451 ")

    assert site.queued() == []


def test_what_is_certain_is_refused_on_both(hosts: dict[str, Server]) -> None:
    for address in (LOWEST, SECOND):
        assert told(hosts[address], FIRST_RATE) == (
            f"550 5.7.1 {FIRST_RATE} is listed by first-rate: 127.0.0.2 from first.dnsbl.example")


def test_the_fast_track(hosts: dict[str, Server]) -> None:
    """Good reputation counts for more than all lists, and spares what stands below it."""
    assert told(hosts[LOWEST], REPUTED).startswith("250 ")
    wait_until(lambda: bool(hosts[LOWEST].log("rcpt")), what="the log")
    (line,) = hosts[LOWEST].log("rcpt")
    assert "reputation" in line.partition(" tags=")[2]
    assert "dynamic" not in line, "nobody has asked"


@pytest.mark.parametrize(("threshold", "answer"), [("0", "421 4.3.2 too busy, try again later"), ("1000000", "250 ")])
def test_above_a_load_nobody_new_comes_in(site: Site, threshold: str, answer: str) -> None:
    """Until it falls: the rule has a number that the load of this machine is certainly above, and one that it is below."""
    site.change("rules", "load > 80 ", f"load >= {threshold} ")
    with site.server(rules="mx2/tcp.smtp") as server:
        assert told(server, FINE).startswith(answer)
        assert told(server, "127.0.0.1").startswith("250 "), "our own users"


def test_two_hosts_remember_together(site: Site, dns: int) -> None:
    """The store is one: whom one session of the lowest has deferred is known to the next one, of another process."""
    with site.server(rules="mx1/tcp.smtp") as first:
        assert told(first, DYNAMIC).startswith("451 ")
    time.sleep(3.1)
    with site.server(rules="mx1/tcp.smtp") as second:
        assert told(second, DYNAMIC).startswith("250 ")
