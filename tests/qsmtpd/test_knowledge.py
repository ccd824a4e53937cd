"""What is known, and how it is found out: laziness, costs, side by side, failures, forgetting."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.knowledge import Knowledge
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.vocabulary import CONNECT, HELO, MAIL, MESSAGE, RCPT, TERMS
from tests.qsmtpd.world import DictLookups, Settings, mail


class Recorder:
    """Checks that say yes to all they are asked, or fail; what was asked, in order."""

    def __init__(self, *, fails: tuple[str, ...] = ()) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.fails = fails

    def make(self, name: str) -> "Recorded":
        return Recorded(self, name)


class Recorded:
    def __init__(self, recorder: Recorder, name: str) -> None:
        self.recorder = recorder
        self.name = name
        self.learnt: list[int] = []

    def questions(self, of: Mail, wanted: tuple[str, ...]) -> list[tuple[bytes, str]]:
        return [(name.encode(), "A") for name in wanted]

    async def __call__(self, of: Mail, lookups: object, wanted: tuple[str, ...]) -> dict[str, bool | float | None]:
        self.recorder.asked.append((self.name, wanted))
        if self.name in self.recorder.fails:
            raise LookupFailedError("no answer")
        return dict.fromkeys(wanted, True)


def knowledge(recorder: Recorder, lookups: DictLookups | None = None) -> Knowledge:
    return Knowledge(mail(), lookups or DictLookups(), TERMS, Settings(), recorder.make)


def test_the_cheapest_is_asked_and_nothing_else() -> None:
    recorder = Recorder()
    of = knowledge(recorder)

    complete(of.ask(("spf-pass", "noptr", "blocked", "known-good", "load")))

    assert recorder.asked == [("blocked", ("blocked",)), ("machine", ("load",))]


def test_what_is_at_hand_spares_the_rest() -> None:
    recorder = Recorder()
    of = knowledge(recorder)

    complete(of.ask(("blocked", "relay")))

    assert (recorder.asked, of.values) == ([], {"relay": False})


def test_questions_for_the_dns_are_asked_side_by_side() -> None:
    recorder, lookups = Recorder(), DictLookups()

    complete(knowledge(recorder, lookups).ask(("noptr", "sender-nodns", "helo-nodns")))

    assert lookups.dns.prefetched == [(b"noptr", "A"), (b"sender-nodns", "A"), (b"helo-nodns", "A")]
    assert [check for check, _ in recorder.asked] == ["rdns", "senderdns", "helodns"]


def test_a_check_runs_once() -> None:
    recorder = Recorder()
    of = knowledge(recorder)

    for _ in range(3):
        complete(of.ask_all(("blocked", "noptr")))

    assert len(recorder.asked) == 2


def test_a_failure_leaves_unknown_and_a_line_in_the_log() -> None:
    lookups = DictLookups()
    of = knowledge(Recorder(fails=("rdns",)), lookups)

    complete(of.ask_all(("noptr", "ptr-generic")))

    assert of.values == {"noptr": None, "ptr-generic": None}
    assert lookups.noted == [b"rdns: no answer"]


def test_a_stage_that_begins_anew_is_asked_anew() -> None:
    recorder = Recorder()
    of = knowledge(recorder)
    names = ("blocked", "helo-oneword", "badmailfrom", "badrcptto")
    complete(of.ask_all(names))

    of.forget(MAIL)

    assert list(of.values) == ["blocked", "helo-oneword"]
    complete(of.ask_all(names))
    assert [check for check, _ in recorder.asked].count("badmailfrom") == 2


def test_a_recipient_comes_back_with_what_was_learned_of_him() -> None:
    of = knowledge(Recorder())
    complete(of.ask_all(("blocked", "badrcptto", "not-addressed", "from-many")))
    then = of.learned(RCPT)
    of.forget(RCPT)
    complete(of.ask_all(("from-many", "not-addressed")))

    of.restore(then)

    assert of.values == {"blocked": True, "badrcptto": True, "from-many": True}


def test_drawn_once_a_session() -> None:
    lookups = DictLookups(drawn=12.5)
    of = knowledge(Recorder(), lookups)
    complete(of.ask(("draw:3",)))
    lookups.drawn = 99.0
    of.forget(HELO)
    complete(of.ask(("draw:3",)))

    assert of.values == {"draw:3": 12.5}
    assert of.learned(CONNECT) == {"draw:3": 12.5}


def test_the_news_are_told_once_and_the_session_at_its_end() -> None:
    of = knowledge(Recorder(fails=("machine",)))
    complete(of.ask_all(("blocked", "load", "relay", "rcpt")))

    assert of.news() == (b"blocked", b"?load")
    assert of.news() == (None, None)
    assert of.of_session() == (b"blocked", b"!relay,?load")


@given(st.lists(st.sampled_from(sorted(TERMS)), max_size=30))
def test_everything_is_found_out_whatever_is_asked(names: list[str]) -> None:
    of = knowledge(Recorder())

    complete(of.ask_all(tuple(names)))

    assert set(names) <= set(of.values)


def test_those_who_remember_are_told_and_may_fail() -> None:
    lookups = DictLookups()

    class Learning(Recorded):
        async def learn(self, of: Mail, world: object, code: int) -> None:
            self.learnt.append(code)
            raise LookupFailedError("the store is down")

    learning = Learning(Recorder(), "knowngood")
    of = Knowledge(mail(), lookups, TERMS, Settings(), lambda name: learning)
    complete(of.ask(("known-good",)))

    complete(of.tell(250))

    assert (learning.learnt, lookups.noted) == ([250], [b"the store is down"])


def test_what_is_dropped_is_asked_again() -> None:
    of = knowledge(Recorder())
    complete(of.ask_all(("size", "hops", "from-many")))

    of.drop(MESSAGE, ("size", "hops"))

    assert list(of.values) == ["from-many"]


def test_a_number_is_what_the_log_says_it_is() -> None:
    """Else "rate >= 2" would not hold in the session, and would in "frontline replay"."""
    class Numbers(Recorded):
        async def __call__(self, of: Mail, lookups: object, wanted: tuple[str, ...]) -> dict[str, bool | float | None]:
            return dict.fromkeys(wanted, 1.99999998)

    of = Knowledge(mail(), DictLookups(drawn=49.99999999), TERMS, Settings(), lambda name: Numbers(Recorder(), name))

    complete(of.ask_all(("rate", "draw:3")))

    assert (of.values["rate"], of.values["draw:3"]) == (2.0, 50.0)
    assert of.news() == (None, b"draw:3:50,rate:2")


def test_what_somebody_else_made_known_is_not_dropped() -> None:
    """As "frontline explain --tag size=3" does."""
    of = knowledge(Recorder())
    of.values["size"] = 3

    of.drop(MESSAGE, ("size", "hops"))

    assert of.values == {"size": 3}
