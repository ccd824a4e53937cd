"""The two-person host: forged senders asked about at home, recipients at the server behind, and all that is taken is held."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.nameservers import internet
from tests.operators.client import MAIL, Client
from tests.operators.postfix import Postfix, postfix, slowly
from tests.operators.site import Server, Site
from tests.operators.world import listing
from tests.scanners import EICAR, GTUBE, OFFER, Scanner
from tests.servers import running, wait_until
from tests.upstreams import upstream

pytestmark = pytest.mark.root  # Postfix has to begin as root, and an MX listens on port 25

GOOD = "you@example.org"
HOTMAIL, AOL, YAHOO, FRIEND, FAR_FRIEND, GONE = (f"127.0.82.{number}" for number in range(1, 7))
SPAMMER, EXPLOITED, BOTH = "127.66.42.1", "127.66.42.2", "127.66.42.3"
FRIENDS_SERVER = "127.66.41.1"
SLOW = 2.5
"""Seconds; a client waits for one."""


@pytest.fixture(scope="module")
def dns() -> Iterator[int]:
    zones = {f"{name}.example": f"@ MX 10 mx\nmx A {address}\n" for name, address in (
        ("hotmail", HOTMAIL), ("aol", AOL), ("yahoo", YAHOO))}
    zones["friend.example"] = f"mail A {FRIEND}\n"
    lists = {"spamhosts": listing(SPAMMER, BOTH), "exploited": listing(EXPLOITED, BOTH), "dialup": listing()}
    with internet(zones, {f"{name}.dnsbl.example": data for name, data in lists.items()}) as port:
        yield port


@pytest.fixture(scope="module")
def real() -> Iterator[Postfix]:
    """All other servers; who gets to it by a slow way does not know that it is the same."""
    users = {"hotmail.example": ["jane"], "aol.example": ["jane"], "yahoo.example": ["jane"], "friend.example": ["joe"],
             "far.example": ["joe"]}
    with postfix([(HOTMAIL, 25), (FRIEND, 25)], users) as server:
        yield server


@pytest.fixture
def site(qmail_home: QmailHome, programs: Path, dns: int, real: Postfix) -> Site:
    """A friend with a server that is near, one that is far, and one whose server is down."""
    site = Site(qmail_home, programs, "e-two-people", dns)
    site.home.write("rcpthosts", "example.org\nfriend.example\nfar.example\ngone.example")
    site.home.write("calloutallow", "127.0.82.0/24")
    for name, line in ("calloutrcpt", "{0}"), ("smtproutes", "{0}:{1}"):
        added = "\n".join(line.format(*each) for each in (("far.example", FAR_FRIEND), ("gone.example", GONE)))
        site.home.write(name, (site.home.control / name).read_text() + added)
    site.parts["10-friends"] = f'{FRIENDS_SERVER}:allow,RELAYCLIENT=""\n'
    command = [site.installation / "bin/holdq", "init", "--one-uid"]
    subprocess.run(command, check=True, capture_output=True, env={"QMAILHOME": str(site.home.path), "PATH": "/usr/bin:/bin"})
    return site


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.server() as started:
        yield started


@pytest.fixture
def impatient(site: Site) -> Iterator[Server]:
    """Its clients wait a second for a callout, instead of 15."""
    with site.server(settings={"CALLOUTTIMEOUT": "1"}) as started:
        yield started


def told(server: Server, recipient: str = GOOD, *, sender: str = "a@sender.test", ip: str = "127.66.40.1",
         helo: str = "mail.sender.test") -> str:
    with Client(server.place, ip) as client:
        if not client.greeting.startswith("220"):
            return client.greeting
        answer = client.rcpt(recipient, sender=sender, helo=helo)[0]
        client.say("QUIT")
        return answer


def held(site: Site) -> list[str]:
    return [path.read_bytes().decode("latin-1") for path in (site.home.path / "holdq/incoming").iterdir()]


def test_one_word_is_no_name(server: Server) -> None:
    assert told(server, helo="friend") == "550 5.7.1 your server says EHLO friend; it should say its full name"
    assert told(server, helo="mail.sender.test").startswith("250 ")


def test_what_is_accepted_waits_in_the_holding_space(server: Server, site: Site) -> None:
    with Client(server.place, "127.66.40.1") as client:
        assert client.send().startswith("250 ")

    (message,) = held(site)
    assert "Hello" in message
    assert site.queued() == []


def test_the_holding_space_is_scanned_in_its_own_time(server: Server, site: Site, clamd: Scanner, spamd: Scanner) -> None:
    """All four are accepted.  Then the good one is queued, spam says what it is, the worst is filed, a virus is dead."""
    for body in (b"see you tomorrow", OFFER, GTUBE, EICAR):
        with Client(server.place, "127.66.40.1") as client:
            assert client.send(text=f"{MAIL}\r\n{body.decode()}\r\n").startswith("250 ")
    for name, text in {"holdqtarget": "queue", "holdqload": "1000", "clamd": clamd.tcp, "spamd": spamd.tcp}.items():
        site.home.write(name, text)
    variables = {"QMAILHOME": str(site.home.path), "PATH": "/usr/bin:/bin"}
    dead = site.home.path / "holdq/dead"
    with running([site.installation / "bin/holdq", "run"], site.home.path / "runner", lambda: True, env=variables):
        wait_until(lambda: len(site.queued()) == 3 and any(dead.iterdir()), what="the end of the holding space")

    queued = {text.rpartition("\n\n")[2].strip(): (text, envelope) for text, envelope in site.queued()}
    assert queued["see you tomorrow"][1] == queued[OFFER.decode()][1] == f"Fa@sender.test|T{GOOD}||"
    assert "X-Spam: score 6.5\n" in queued[OFFER.decode()][0]
    assert "X-Spam:" not in queued["see you tomorrow"][0]
    assert queued[GTUBE.decode()][1] == "Fa@sender.test|Tquarantine@example.org||"


def test_the_friends_server_sends_through_us(server: Server, site: Site) -> None:
    """Whatever it calls itself; others may not."""
    with Client(server.place, FRIENDS_SERVER) as client:
        assert client.rcpt("anybody@far-away.test", helo="friend")[0].startswith("250 ")
        assert client.data().startswith("250 ")
    assert told(server, "anybody@far-away.test").startswith("553 ")
    assert len(held(site)) == 1


def test_our_own_domain_is_checked_against_our_own_users(server: Server) -> None:
    assert told(server, sender="ghost@example.org") == "550 5.1.8 there is no ghost@example.org here"
    assert told(server, sender="postmaster@example.org").startswith("250 ")
    assert told(server, sender="joe@friend.example").startswith("250 "), "who has no list here is not unknown by it"


def test_several_lists_by_rcpt(server: Server) -> None:
    assert told(server, ip=SPAMMER) == f"550 5.7.1 {SPAMMER} is listed by spamhosts: 127.0.0.2 from spamhosts.dnsbl.example"
    assert told(server, ip=BOTH).startswith(f"550 5.7.1 {BOTH} is listed by spamhosts exploited: ")
    assert told(server, ip=EXPLOITED).startswith("550 ")


def test_a_forged_sender_is_asked_about_at_home(server: Server, real: Postfix) -> None:
    """By a real Postfix; each address once, and other domains not at all."""
    before = real.callouts()
    assert told(server, sender="jane@hotmail.example").startswith("250 ")
    assert told(server, sender="x7q3@hotmail.example") == "550 5.1.8 hotmail.example says that there is no such sender"
    assert told(server, sender="jane@hotmail.example").startswith("250 ")
    assert told(server, sender="x7q3@hotmail.example").startswith("550 ")
    assert told(server, sender="a@sender.test").startswith("250 ")
    assert told(server, sender="").startswith("250 ")
    wait_until(lambda: real.callouts() >= before + 2, what="the log of Postfix")
    assert real.callouts() == before + 2


def test_a_slow_answer_is_there_at_the_next_attempt(impatient: Server, real: Postfix) -> None:
    """450 for the real one and the forged one; the probes go on without the clients; then 250 and 550, asked once each."""
    before = real.callouts()
    with upstream(slowly((HOTMAIL, 25), SLOW), AOL, 25), upstream(slowly((HOTMAIL, 25), SLOW), YAHOO, 25):
        begin = time.monotonic()
        first = [told(impatient, sender=sender) for sender in ("jane@aol.example", "x7q3@yahoo.example")]
        assert time.monotonic() - begin < 2 * SLOW, "nobody has waited for the servers"
        wait_until(lambda: real.callouts() == before + 2, what="the answers of Postfix")
        wait_until(lambda: told(impatient, sender="jane@aol.example").startswith("250 "), what="the retry of a real sender")
        wait_until(lambda: told(impatient, sender="x7q3@yahoo.example").startswith("550 "), what="the retry of a forged one")

    assert first == ["450 4.7.1 sender not verified yet, try again"] * 2
    assert real.callouts() == before + 2


def test_recipients_are_verified_at_the_friends_server(server: Server, real: Postfix) -> None:
    """Each once: the second session does not connect."""
    before = real.callouts()
    assert [told(server, recipient).split(" ")[0] for recipient in ("joe@friend.example", "no@friend.example") * 2] == [
        "250", "550", "250", "550"]
    assert told(server, "other@friend.example").startswith("550 5.1.1 ")
    wait_until(lambda: real.callouts() >= before + 3, what="the log of Postfix")
    assert real.callouts() == before + 3


def test_a_friends_server_that_is_slow_or_down(impatient: Server, real: Postfix) -> None:
    """Temporary, and the probe goes on; with no answer at all nobody is refused for good, ever."""
    before = real.callouts()
    with upstream(slowly((FRIEND, 25), SLOW), FAR_FRIEND, 25):
        assert told(impatient, "joe@far.example")[:3] in ("450", "451")
        wait_until(lambda: real.callouts() == before + 1, what="the answer of Postfix")
        wait_until(lambda: told(impatient, "joe@far.example").startswith("250 "), what="the retry")
    assert told(impatient, "joe@far.example").startswith("250 "), "remembered, though the server is gone"
    assert told(impatient, "joe@gone.example")[:3] in ("450", "451")
    assert real.callouts() == before + 1


@pytest.mark.parametrize(("old", "new", "answer"), [
    ("load > 12 ", "load >= 0 ", "421 4.3.2 too busy, try again later"),
    ("rate > 60 ", "rate > 3 ", "421 4.7.0 too many connections from 127.66.43.1")])
def test_limits_on_load_and_connections(site: Site, old: str, new: str, answer: str) -> None:
    site.change("rules", old, new)
    with site.server() as server:
        assert [told(server, ip="127.66.43.1") for _ in range(5)][-1] == answer
        assert told(server, ip=FRIENDS_SERVER).startswith("250 "), "friends are not counted"
