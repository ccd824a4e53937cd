"""What is tried next."""

from hypothesis import given
from hypothesis import strategies as st

from holdq import schedule
from holdq.layout import new_id
from holdq.names import Held
from holdq.schedule import Schedule

NOW = 1_800_000_000
DAY = 86_400


def message(age: int = 0, attempts: int = 0, crashes: int = 0, due: int = 0, *, released: bool = False) -> Held:
    return Held(new_id(NOW - age), attempts, crashes, due, released)


def everything(waiting: Schedule, now: float) -> list[Held]:
    found = []
    while held := waiting.next(now):
        found.append(held)
    return found


def test_released_then_fresh_then_retries_then_suspects() -> None:
    order = [message(1, 9, due=NOW + DAY, released=True)._replace(due=0), message(30), message(20),
             message(DAY, 3, due=NOW - 9), message(DAY, 3, due=NOW - 5), message(5, 1, 1)]
    waiting = Schedule()
    for held in reversed(order):
        waiting.add(held, NOW)

    assert everything(waiting, NOW) == order
    assert len(waiting) == 0


def test_a_retry_waits_until_it_is_due() -> None:
    waiting = Schedule()
    held = message(DAY, 2, due=NOW + 300)
    waiting.add(held, NOW)

    assert waiting.next(NOW) is None
    assert waiting.wake(NOW) == 300
    assert waiting.next(NOW + 299) is None
    assert waiting.next(NOW + 300) == held
    assert waiting.wake(NOW + 300) is None


def test_alarm_makes_all_due() -> None:
    waiting = Schedule()
    held = [message(1, 2, due=NOW + 300), message(2, 3, due=NOW + 7000)]
    for each in held:
        waiting.add(each, NOW)
    waiting.all_due()

    assert everything(waiting, NOW) == held


def test_a_newer_view_takes_the_place_of_the_older() -> None:
    waiting = Schedule()
    held = message(5, 2, due=NOW + 300)
    waiting.add(held, NOW)
    waiting.add(held.let_go(), NOW)

    assert everything(waiting, NOW + 1000) == [held.let_go()]
    assert waiting.wake(NOW) is None


def test_what_a_look_does_not_show_is_forgotten() -> None:
    waiting = Schedule()
    gone, stays = message(5), message(6)
    waiting.add(gone, NOW)
    waiting.replace([stays], NOW)

    assert list(waiting) == [stays]
    assert everything(waiting, NOW) == [stays]


def test_a_closed_gate_lets_only_released_ones_through() -> None:
    waiting = Schedule()
    released = message(9, 4, released=True)
    for held in (message(5), released):
        waiting.add(held, NOW)

    assert waiting.ready(NOW) == 2
    assert waiting.next(NOW, released_only=True) == released
    assert waiting.next(NOW, released_only=True) is None
    assert waiting.ready(NOW) == 1


def test_not_before_holds_a_message_back_in_memory() -> None:
    waiting = Schedule()
    held = message(5)
    waiting.add(held, NOW, NOW + 0.05)

    assert waiting.next(NOW) is None
    assert waiting.next(NOW + 0.05) == held


def test_back_off_is_quadratic_and_capped() -> None:
    taken = [sum(schedule.delay(attempt) for attempt in range(1, count + 1)) for count in range(1, 30)]

    assert taken == [100 * count * count for count in range(1, 30)]
    assert schedule.delay(1000) == schedule.DELAY_MAX


def test_given_up_by_age_and_by_attempts() -> None:
    """A141: a clock ten years ahead gives nothing up that was not tried for four hours."""
    assert not schedule.expired(message(8 * DAY, schedule.ATTEMPTS_MIN - 1), 7 * DAY, NOW)
    assert not schedule.expired(message(6 * DAY, 80), 7 * DAY, NOW)
    assert schedule.expired(message(8 * DAY, 80), 7 * DAY, NOW)
    assert not schedule.expired(message(0, 3), 7 * DAY, NOW + 3650 * DAY)


def test_a_date_of_a_wrong_clock_is_due_now() -> None:
    """A141: due in 2036, because the clock was there for a minute."""
    waiting = Schedule()
    held = message(5, 1, due=NOW + 3650 * DAY)
    waiting.replace([held], NOW)

    assert waiting.next(NOW) == held


def test_the_third_attempt_without_end_is_the_last() -> None:
    """A145"""
    assert [schedule.poisonous(message(5, 5, crashes)) for crashes in range(5)] == [False, False, False, True, True]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4), st.integers(-100, 9000), st.booleans()), max_size=30))
def test_each_message_comes_out_once_and_none_early(rows: list[tuple[int, int, int, bool]]) -> None:
    held = [message(5, attempts, crashes, NOW + due, released=released) for attempts, crashes, due, released in rows]
    waiting = Schedule()
    for each in held:
        waiting.add(each, NOW)
    at_once = everything(waiting, NOW)

    assert all(each.due <= NOW for each in at_once)
    assert at_once == sorted(at_once, key=schedule.order)
    assert sorted(at_once + everything(waiting, NOW + 10_000)) == sorted(held)
