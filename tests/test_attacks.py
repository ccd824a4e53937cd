"""Attacks that concern the rules as a whole; what one module alone has to stand is in its own tests."""

from pathlib import Path

import pytest

from qsmtpd.policy import Policy
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.default import RULES
from qsmtpd.rules.site import parse_tags
from qsmtpd.rules.vocabulary import FILE, TERMS
from tests.conftest import DEFAULT_RULES, QmailHome
from tests.nameservers import lying, reply
from tests.play import Played, run_program
from tests.qsmtpd.world import DictDns, DictLookups, DictStore, FixedMachine, Settings, mail
from tests.transcript import codes

START = b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<good@bench.test>\r\n"
END = b"DATA\r\nhello\r\n.\r\nQUIT\r\n"


@pytest.fixture
def home(qmail_home: QmailHome) -> QmailHome:
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("validrcptto", "good@bench.test")
    return qmail_home


def policy(text: str, lookups: DictLookups, **env: bytes) -> Policy:
    tags = parse_tags(b"dul dnsbl dul.test\n")
    return Policy(Settings(text=text, tags=tags), mail(env=dict(env)), lookups, lambda line, words: None)


@pytest.mark.parametrize("where", ["before", "within", "instead"])
def test_bdat_is_not_offered_and_changes_nothing(where: str, home: QmailHome) -> None:
    """A13: a command that we do not know, whatever the state; the bytes behind it are no message, and the message is whole."""
    chunk = b"BDAT 6 LAST\r\nRSET\r\n"
    within = START.replace(b"RCPT", b"BDAT 3\r\nRCPT") + END
    said = {"before": chunk + START + END, "within": within, "instead": START + chunk}[where]

    played = Played(home, {}, [said])

    assert codes(played.wire.answer)[1:] == {
        "before": [502, 250, 250, 250, 250, 354, 250, 221], "within": [250, 250, 502, 250, 354, 250, 221],
        "instead": [250, 250, 250, 502, 250]}[where]
    assert [message[-6:] for message, _ in played.queue.queued] == ([] if where == "instead" else [b"hello\n"])


def test_a_million_chunks_are_a_few(home: QmailHome) -> None:
    """A13: nothing is kept of them, and the session is ended."""
    played = Played(home, {}, [START + b"BDAT 1\r\n" * 100_000])

    assert codes(played.wire.answer)[-1] == 421
    assert len(codes(played.wire.answer)) == 4 + 21


def test_a_flood_from_one_network_is_sent_away_before_anything_is_asked() -> None:
    """A37: by the number of sessions that stand, 421 in place of the greeting, and the connection is closed."""
    lookups = DictLookups(machine=FixedMachine(standing=(3, 51)), dns=DictDns(), store=DictStore(down=True))
    of = policy("relay accept\nnet-sessions > 50 defer@connect\ndul | known-good refuse\n", lookups)

    verdict = complete(of.connect())

    assert (verdict.reply.code, verdict.reply.closes) == (421, True)
    assert lookups.dns.asked == lookups.dns.prefetched == []
    assert lookups.noted == []


def test_the_default_rules_believe_no_list() -> None:
    """A92: whoever gets an innocent client listed somewhere has gained nothing at a site that did not say so."""
    used = {name for rule in RULES.rules for name in rule.names}

    assert {name for name in used if TERMS[name].cost > FILE} == {"earlytalk"}


@pytest.mark.parametrize(("down", "code"), [(False, 250), (True, 451)])
def test_who_is_known_good_is_not_refused_because_a_list_has_him(down: bool, code: int) -> None:
    """A92: "known-good accept" above a list; and while the store cannot say who is known, the list refuses nobody for good."""
    listed = {(b"1.2.0.192.dul.test", "A"): (b"127.0.0.2",), (b"2.0.0.127.dul.test", "A"): (b"127.0.0.2",)}
    store = DictStore(down=down)
    store.values[b"!good:192.0.2.1"] = b"1790000000 1795000000 50"
    of = policy("known-good accept\ndul refuse\n", DictLookups(dns=DictDns(dict(listed)), store=store))
    complete(of.sender(b"a@b.test", 0, utf8=False))

    assert complete(of.recipient(b"x@bench.test")).reply.code == code


def test_unknown_recipients_are_refused_while_the_client_waits(home: QmailHome) -> None:
    """A111: nothing is queued that would bounce to a forged sender, and who guesses is sent away."""
    guesses = b"".join([b"RCPT TO:<u%d@bench.test>\r\n" % number for number in range(85)])

    played = Played(home, {}, [b"EHLO x\r\nMAIL FROM:<victim@far.test>\r\n" + guesses + END])

    assert codes(played.wire.answer) == [220, 250, 250, *[550] * 10, 421]
    assert played.queue.opened == []


def test_bounces_to_names_from_a_dictionary_block_nobody() -> None:
    """A116: a large provider's bounces are put off; the default rules remember nothing, the next session is as the first."""
    store = DictStore()
    for _ in range(2):
        lookups = DictLookups({"validrcptto.cdb": {b"good@bench.test"}}, store=store)
        of = policy(DEFAULT_RULES, lookups)
        complete(of.sender(b"", 0, utf8=False))
        assert complete(of.recipient(b"good@bench.test")).reply.code == 250
        answers = [complete(of.recipient(b"u%d@bench.test" % number)).reply.code for number in range(4)]
        assert answers == [452] * 4
        complete(of.knowledge.tell(554))

    assert [store.values, store.counts, store.claimed] == [{}, {}, set()]


def world(query: bytes) -> list[bytes]:
    return [reply(query, "A 127.0.0.2")]


def hijacked(query: bytes) -> list[bytes]:
    return [reply(query, "A 203.0.113.9")]


def not_for_you(query: bytes) -> list[bytes]:
    return [reply(query, "A 127.255.255.254", "A 127.0.0.2")]


def never(query: bytes) -> list[bytes]:
    return [reply(query, "A 127.0.0.1")]


@pytest.mark.parametrize("lie", [world, hijacked, not_for_you, never])
def test_a_list_that_lists_the_world_refuses_nobody(lie: object, home: QmailHome, installation: Path) -> None:
    """A90, A91: from end to end; the log says what it has answered."""
    home.write("tags", "dul dnsbl dul.test\n")
    home.write("rules", "dul refuse\n")
    with lying(lie) as server:  # type: ignore[arg-type]
        env = {"TCPREMOTEIP": b"192.0.2.1", "PROTO": b"TCP", "DNSCACHEIP": b"127.0.0.1:%d" % server.port}
        answer, log, _ = run_program([installation / "bin/qsmtpd"], home, env, START + END)

    assert codes(answer) == [220, 250, 250, 250, 354, 250, 221]
    assert b"dul.test is not asked for a while" in log
