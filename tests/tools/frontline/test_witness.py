"""Every rule that was read, in order, with what it asked and what was known before."""

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.knowledge import Knowledge
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.vocabulary import CONNECT, RCPT, TERMS
from tests.qsmtpd.world import DictLookups, Settings, mail, rules
from tools.frontline.stopwatch import Stopwatch
from tools.frontline.witness import Witness


class Answers:
    """Checks that say yes, with a reason, but for rdns, which fails."""

    def __init__(self, name: str) -> None:
        self.name = name

    def questions(self, of: Mail, wanted: tuple[str, ...]) -> tuple[tuple[bytes, str], ...]:
        return ()

    async def __call__(self, of: Mail, lookups: object, wanted: tuple[str, ...]) -> dict[str, bool | float | None]:
        if self.name == "rdns":
            raise LookupFailedError("no answer")
        for name in wanted:
            of.reasons[name] = b"because of " + name.encode()
        return dict.fromkeys(wanted, True)


def witness(text: str) -> Witness:
    of = mail(b"x@bench.test")
    settings = Settings(text=text)
    known = Knowledge(of, DictLookups(), TERMS, settings, Answers)
    return Witness(rules(text, settings), of, known, lambda line, text: None, vocabulary=TERMS, watch=Stopwatch())


def test_rules_in_order_with_what_they_asked() -> None:
    of = witness("blocked & noptr refuse\nnoptr ?refuse\nblocked & !relay refuse\nany accept\nsize > 1 refuse\n")

    complete(of.at(RCPT))

    reading = of.readings[0]
    assert [(seen.rule.line, seen.holds) for seen in reading.seen] == [(1, None), (2, None), (3, True)]
    assert [[(word.name, word.value, word.asked) for word in seen.words] for seen in reading.seen] == [
        [("blocked", True, True), ("noptr", None, True)], [("noptr", None, False)],
        [("blocked", True, False), ("relay", False, True)]]
    assert reading.seen[0].words[0].reason == b"because of blocked"
    assert [word.cost for word in reading.seen[0].words] == ["file", "dns"]
    assert reading.seen[0].text == "blocked & noptr refuse"
    assert [rule.line for rule in reading.unread] == [4]
    assert [rule.line for rule in reading.later] == [5]
    assert reading.ruled is not None
    assert (reading.ruled.verb, reading.ruled.rule) == ("refuse", "3")


def test_a_stage_at_which_no_rule_speaks() -> None:
    of = witness("blocked refuse\n")

    complete(of.at(CONNECT))

    assert (of.readings[0].seen, of.readings[0].unread) == ([], [])


def test_what_a_condition_asks_is_a_word_too() -> None:
    of = witness("any defer 50%\nany throttle 1\n")

    complete(of.at(RCPT))

    words = [[(word.name, word.cost) for word in seen.words] for seen in of.readings[0].seen]
    assert words[0] == [("draw:1", "drawn")]
    assert len(of.readings[0].seen) == 1 or words[1] == [("accepted", "at hand")]
