"""What the rules say of a message."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdq import config
from qqshim.ruling import HELD, Ruled
from qqshim.scanners.base import Finding
from qsmtpd.rules.wording import NO_QUARANTINE, UNSURE
from tests.qqshim.arrived import CLEAN, HAM, NOBODY, SPAM, VIRUS, World, mail, session

THREE = (b"a@x.test", b"b@x.test", b"c@x.test")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def verbs(ruled: Ruled) -> list[str]:
    return [each.verb for each in ruled.judgements]


@pytest.mark.parametrize(("rules", "findings", "reply"), [
    ("virus refuse", [VIRUS], (550, "5.7.1", ("sorry, not by the rules of this site",))),
    ('virus refuse 554 "it has {reason}"', [VIRUS], (554, "5.7.1", ("it has Eicar",))),
    ("virus refuse", [CLEAN], None),
    ("virus refuse", [], None),
    (r'score >= 7 refuse 550 5.7.2 "{score} of {sender} to {rcpt}\n{ip} by rule {rule}"', [CLEAN, SPAM],
     (550, "5.7.2", ("7.5 of a@client.test to user@bench.test", "192.0.2.7 by rule 1"))),
    ("score >= 8 refuse", [CLEAN, SPAM], None),
    ("spam defer", [CLEAN, SPAM], (451, "4.7.1", ("sorry, not now by the rules of this site, try again later",))),
    ("spam close", [SPAM], (421, "4.7.0", ("sorry, not by the rules of this site, goodbye",))),
    ("spam accept\nsize > 0 refuse", [SPAM], None),
    ("!spam accept\nsize > 0 refuse", [HAM], None),
    ("any refuse\nunknown(spf-pass) defer\nunknown(dul) & spam refuse", [HAM], None),
    ("virus-unknown | spam-unknown defer", [CLEAN, HAM], None),
    ("size > 10 & hops < 3 refuse 552", [], (552, "5.7.1", ("sorry, not by the rules of this site",))),
    ("no-date refuse", [], (550, "5.7.1", ("sorry, not by the rules of this site",))),
    ("not-addressed refuse", [], (550, "5.7.1", ("sorry, not by the rules of this site",))),
    ("spam defer 0%", [SPAM], None),
    ("spam defer 100%", [SPAM], (451, "4.7.1", ("sorry, not now by the rules of this site, try again later",))),
])
def test_one_recipient(
        world: World, rules: str, findings: list[Finding], reply: tuple[int, str, tuple[str, ...]] | None) -> None:
    ruled = world.ruled(rules, *findings)

    assert (ruled.reply and (ruled.reply.code, ruled.reply.status, ruled.reply.lines)) == reply
    assert (ruled.rule is None) == (reply is None)


@pytest.mark.parametrize("rules", ["dul refuse", "dul & spam refuse", "load > 0 refuse"])
def test_what_nobody_has_said_does_not_hold(world: World, rules: str) -> None:
    """Nothing is looked up here; and who was there to be throttled or greylisted has been at RCPT."""
    assert world.ruled(rules, SPAM).reply is None


def test_a_refusal_is_no_fault_of_ours(world: World) -> None:
    """The exception above it was not told: perhaps it held."""
    ruled = world.ruled("dul accept\nspam refuse", SPAM)

    assert ruled.reply is not None
    assert (ruled.reply.code, ruled.reply.lines) == (451, UNSURE.lines)


def test_above_and_below(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust that stands above the virus accepts it, below it does not."""
    monkeypatch.setenv("VIP", "")

    assert world.ruled("vip accept\nvirus refuse", VIRUS).reply is None
    assert world.ruled("virus refuse\nvip accept", VIRUS).reply is not None
    assert world.ruled("vip accept\nvirus refuse", VIRUS, origin=NOBODY).reply is not None, "his environment is his own"


@pytest.mark.parametrize(("told", "refused"), [(b"vip", False), (b"!vip", True), (b"?vip", True), (b"vip;;,", True)])
def test_what_the_session_says(world: World, told: bytes, refused: bool) -> None:
    assert (world.ruled("vip accept\nvirus refuse", VIRUS, origin=session(told)).reply is not None) is refused


@pytest.mark.parametrize(("told", "rules", "expected"), [
    (b";list;!list;list", "list accept\nspam refuse", ["accept", "refuse", "accept"]),
    (b";list;!list;list", "list accept\nspam quarantine", ["accept", "quarantine", "accept"]),
    (b";list;!list;list", "!list & spam discard", ["accept", "discard", "accept"]),
    (b";list;list;list", "!list & spam discard", ["accept"]),
    (b"!relay", "not-addressed & spam discard", ["accept", "discard", "discard"]),
])
def test_recipients_who_do_not_agree(world: World, told: bytes, rules: str, expected: list[str]) -> None:
    of = mail(*THREE, message=b"To: a@x.test\n\nx\n")
    ruled = world.ruled(rules, SPAM, origin=session(told), of=of, quarantine=b"aside@x.test")

    assert ruled.reply is None
    assert verbs(ruled) == expected
    assert ruled.quarantine == (b"aside@x.test" if {"refuse", "quarantine"} & set(expected) else None)


def test_one_who_defers_defers_all(world: World) -> None:
    ruled = world.ruled("list & spam defer\nspam refuse", SPAM, origin=session(b";!list;list;!list"), of=mail(*THREE))

    assert ruled.reply is not None
    assert (ruled.reply.code, ruled.rule) == (451, 1)


def test_nowhere_to_put_it_aside(world: World) -> None:
    ruled = world.ruled("spam quarantine", SPAM)

    assert ruled.reply is not None
    assert (ruled.reply.code, ruled.reply.lines, ruled.rule) == (451, NO_QUARANTINE.lines, 1)


def test_what_takes_note(world: World) -> None:
    ruled = world.ruled(
        'spam header "X-Spam-Score: {score}"\nspam hold\nspam log "to {rcpt}"\nvirus ?refuse\nspam ?discard\nspam tarpit 5\n'
        'vip header "X-Vip: 1"\nany accept\nany header "X-Never: reached"', CLEAN, SPAM)

    assert (ruled.reply, ruled.fields, ruled.hold) == (None, [b"X-Spam-Score: 7.5"], True)
    assert (ruled.logs, ruled.shadows) == ([(3, b"to user@bench.test")], [5])


def test_nothing_is_done_twice(world: World) -> None:
    """What the session could decide, or note, it has; its own accept counts here, too."""
    rules = ('no-date header "X-Site: 1"\nno-date hold\nno-date log "x"\nno-date ?refuse\nspam header "X-Spam: 1"\n'
             'size > 1 quarantine\nspam refuse')
    of_session = world.ruled(rules, SPAM, origin=session(b"!relay"))
    of_stock = world.ruled(rules, SPAM, quarantine=b"aside@x.test")

    assert (of_session.fields, of_session.hold, of_session.logs, of_session.shadows) == ([b"X-Spam: 1"], False, [], [])
    assert (of_session.reply, verbs(of_session)) == (None, ["accept"])
    assert (of_stock.fields, of_stock.hold, of_stock.logs, of_stock.shadows) == (
        [b"X-Site: 1", b"X-Spam: 1"], True, [(3, b"x")], [4])
    assert verbs(of_stock) == ["quarantine"]


def test_what_has_been_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not held again; and what nobody can know any more is not waited for: the holding queue puts it aside."""
    monkeypatch.setenv(HELD, "/var/qmail/holdq")
    for more in ("spam refuse", "spam discard", "spam quarantine"):
        ruled = world.ruled(f"known-good accept\nspam hold\n{more}", SPAM, origin=NOBODY)
        assert ruled.reply is not None
        assert (ruled.hold, ruled.reply.code) == (False, 554)
        assert ruled.reply.text.startswith("rule 3 holds")

    assert world.ruled("known-good accept\nspam hold\nspam refuse", HAM, origin=NOBODY).reply is None
    refused = world.ruled('spam refuse "x"', SPAM, origin=NOBODY).reply
    assert refused is not None
    assert refused.lines == ("x",)
    assert HELD == config.RUNNING


def test_a_text_from_the_network_stays_a_text(world: World) -> None:
    """A44, A45: in a reply and in a header."""
    of = mail(b"a@x.test", sender=b"x\r\n250 ok {rule}\n\xff")
    refused = world.ruled('spam refuse "{sender}"', SPAM, of=of)
    field = world.ruled('spam header "X-From: {sender}"', SPAM, of=of)

    assert refused.reply is not None
    assert refused.reply.lines == ("x??250 ok {rule}??",)
    assert field.fields == [b"X-From: x??250 ok {rule}??"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["list", "!list", "?list", "list,valid", ""]), min_size=3, max_size=3))
def test_as_if_each_were_alone(world: World, told: list[str]) -> None:
    """Recipients about whom the same is known are judged together, and the result is the same."""
    rules = "list & valid accept\nunknown(list) & spam discard\nspam & !list quarantine\n"
    together = world.ruled(rules, SPAM, origin=session(";".join(["", *told]).encode()), of=mail(*THREE), quarantine=b"q@x")
    alone = [world.ruled(rules, SPAM, origin=session(f";{words}".encode()), quarantine=b"q@x") for words in told]

    expected = [verbs(each)[0] for each in alone]
    if "defer" in expected:
        assert together.reply is not None
    assert verbs(together) == expected or (verbs(together) * 3 == expected and len(set(told)) == 1)
