"""What each word cost: also one whose look-up fails, and several that are asked together."""

import time

import pytest

from qsmtpd.checks.base import LookupFailedError, Mail
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictLookups, mail
from tools.frontline.stopwatch import NotHere, Stopwatch, TimedCheck


class Slow:
    """A check that takes its time."""

    def questions(self, of: Mail, wanted: tuple[str, ...]) -> list[tuple[bytes, str]]:
        return [(name.encode(), "A") for name in wanted]

    async def __call__(self, of: Mail, lookups: object, wanted: tuple[str, ...]) -> dict[str, bool | float | None]:
        time.sleep(0.01)
        if "broken" in wanted:
            raise LookupFailedError("broken")
        return dict.fromkeys(wanted, True)


def test_a_check_is_timed() -> None:
    watch = Stopwatch()
    check = TimedCheck(Slow(), watch)

    assert complete(check(mail(), DictLookups(), ("a", "b"))) == {"a": True, "b": True}
    assert watch.ms["a"] >= 10
    assert watch.ms["a"] == watch.ms["b"]


def test_one_that_fails_is_timed_too() -> None:
    watch = Stopwatch()

    with pytest.raises(LookupFailedError):
        complete(TimedCheck(Slow(), watch)(mail(), DictLookups(), ("broken",)))

    assert watch.ms["broken"] >= 10


def test_the_time_of_one_question_for_several_counts_for_each() -> None:
    watch = Stopwatch()
    check = TimedCheck(Slow(), watch)

    assert check.questions(mail(), ("a",)) == [(b"a", "A")]
    check.questions(mail(), ("b",))
    watch.together(0.5)
    watch.together(0.5)

    assert watch.ms == {"a": 500, "b": 500}


def test_what_scanners_find_is_unknown() -> None:
    assert complete(NotHere()(mail(), DictLookups(), ("virus", "score"))) == {"virus": None, "score": None}
