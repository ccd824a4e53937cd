"""What a reading of the rules becomes at a stage."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.counts import COUNTS
from qsmtpd.checks.validrcpt import ValidRcpt
from qsmtpd.knowledge import Knowledge
from qsmtpd.policy import Policy
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.rule import Rule
from qsmtpd.rules.vocabulary import CONNECT, HELO, MAIL, MESSAGE, RCPT
from qsmtpd.ruling import Ruled, Ruling
from tests.qsmtpd.world import DictLookups, Settings, mail


def ruling(text: str, logged: list[tuple[int, bytes]] | None = None) -> Ruling:
    settings = Settings(text=text)
    session = mail(b"good@bench.test", sender=b"a@b.test")
    said = [] if logged is None else logged
    return Ruling(
        settings.rules, session, Knowledge(session, DictLookups(), settings.vocabulary, settings, settings.check),
        lambda line, words: said.append((line, words)), None)


def at(text: str, stage: int) -> Ruled:
    return complete(ruling(text).at(stage))


@pytest.mark.parametrize(("text", "silent"), [
    ("relay accept\ntoo-many-bad close\n", True), ("invalid refuse\n", True), ("valid refuse\n", False),
    ("invalid & relay refuse\n", False), ("rcpt > 5 defer\n", False)])
def test_what_is_silent_was_looked_at_and_is_one_word_that_is_false(text: str, silent: bool) -> None:
    """Where that is not enough to say so the rules are read, which come to the same."""
    settings = Settings(text=text)
    session = mail(b"good@bench.test", sender=b"a@b.test")
    knowledge = Knowledge(session, DictLookups(), settings.vocabulary, settings, settings.check)
    of = Ruling(settings.rules, session, knowledge, lambda line, words: None, None)
    session.known = True
    knowledge.begin(settings.rules.counted(COUNTS))
    knowledge.count()
    assert not of.silent()

    first = complete(of.at(RCPT))
    knowledge.count()

    assert of.silent() is silent
    assert first.verb == complete(of.at(RCPT)).verb
    of.begin()
    assert not of.silent()


def test_nothing_to_read_costs_nothing() -> None:
    assert at("any refuse\n", CONNECT).verdict is None


@pytest.mark.parametrize(("text", "verb", "spoken"), [
    ("any refuse\n", "refuse", True), ("any accept\n", "accept", False), ("relay refuse\n", "accept", False),
    ("any quarantine\n", "quarantine", False), ("any discard\n", "discard", False), ("any close\n", "close", True)])
def test_what_is_said_at_rcpt(text: str, verb: str, spoken: bool) -> None:
    found = at(text, RCPT)

    assert (found.verb, found.verdict is not None) == (verb, spoken)
    assert found.rule == ("" if text.startswith("relay") else "1")


def test_an_earlier_decision_keeps_a_later_one_from_speaking() -> None:
    """A rule above that will speak at RCPT decides, also over one below that could speak now."""
    assert at("any defer\nany refuse@connect\n", CONNECT).verdict is None


@pytest.mark.parametrize("shadow", ["", "any ?tarpit@mail 5\n", "any ?refuse@mail\n"])
def test_a_shadow_lets_nobody_speak_who_would_not(shadow: str) -> None:
    """What was said at HELO is said again at RCPT to who goes on; a shadow that is read at MAIL does not change that."""
    text = f"any defer@helo\n{shadow}"

    assert [at(text, stage).verdict is not None for stage in (CONNECT, HELO, MAIL, RCPT)] == [False, True, False, True]
    assert at(f"{text}null-sender defer@mail\n", MAIL).verdict is not None


def test_notes_of_the_stage() -> None:
    found = at('any tarpit 3\nany tarpit 4\nany header "X-A: {sender}"\nany hold\nany tarpit@connect 50\n', RCPT)

    assert (found.pause, found.fields, found.hold) == (7, [b"X-A: a@b.test"], True)


def test_a_tarpit_for_the_greeting() -> None:
    assert at("any tarpit@connect 5\nany tarpit 50\n", CONNECT).pause == 5


def test_log_lines_are_written_where_they_speak() -> None:
    logged: list[tuple[int, bytes]] = []
    of = ruling('any log "{rcpt} from {ip}"\n', logged)
    complete(of.at(RCPT))
    complete(of.at(MESSAGE))

    assert logged == [(1, b"good@bench.test from 192.0.2.1")]


def test_a_field_is_one_line_whatever_it_is_filled_with() -> None:
    """A44, A51."""
    of = ruling('any header "X-Helo: {helo}"\n')
    of._mail.helo = b"x\r\nX-Forged: 1\n\x00"

    assert complete(of.at(RCPT)).fields == [b"X-Helo: x??X-Forged: 1??"]


Trace = Callable[[Rule, bool | None], None]
RULES = """\
relay accept
null-sender ?refuse
rcpt > 2 & !null-sender defer
badrcpt > 5 tarpit 1
greetdelay > 0 refuse
valid log "x"
"""


@given(st.lists(st.sampled_from([b"good@bench.test", b"bad@bench.test", None]), max_size=8), st.booleans())
def test_what_is_not_read_again_changes_nothing(said: list[bytes | None], null: bool) -> None:
    """Every reading is what reading all the rules would be: with a trace all are read each time.  None is another MAIL."""

    def played(trace: Trace | None) -> list[object]:
        lookups = DictLookups({"validrcptto.cdb": {b"good@bench.test"}})
        of = Policy(Settings(text=RULES, valid=ValidRcpt(None, None, b"")), mail(), lookups, lambda line, text: None, trace)
        complete(of.sender(b"" if null else b"a@b.test", 0, False))
        seen: list[object] = []
        for each in said:
            if each is None:
                complete(of.sender(b"a@b.test", 0, False))
            else:
                verdict = complete(of.recipient(each))
                seen.append((verdict.reply.wire, verdict.rule, verdict.delay, dict(of.ruling.shadows)))
        return seen

    assert played(None) == played(lambda rule, value: None)
