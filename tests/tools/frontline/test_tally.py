"""Sums: by rule, with examples; sessions once each; delays in their order."""

from hypothesis import given
from hypothesis import strategies as st

from tools.frontline.replayed import Outcome
from tools.frontline.rerun import ACCEPTED, Told
from tools.frontline.tally import Example, Kind, Tally

LAST = {b"id": b"1.1", b"ip": b"192.0.2.1"}


def outcome(before: Told, after: Told | None, recipient: bytes = b"x@y", **more: tuple[str, ...] | tuple[int, ...]) -> Outcome:
    return Outcome(b"a@b", recipient, before, after, **more)  # type: ignore[arg-type]


def test_changes_by_rule() -> None:
    tally = Tally()
    for _ in range(5):
        tally.add(LAST, [outcome(ACCEPTED, Told(5, "3")), outcome(ACCEPTED, Told(5, "3")), outcome(ACCEPTED, ACCEPTED)])
    tally.add(LAST, [outcome(Told(5, "7"), ACCEPTED), outcome(Told(5, "7"), Told(5, "8")), outcome(Told(5, "7"), Told(4, "9"))])

    found = {kind: (count.recipients, count.sessions, len(count.examples)) for kind, count in tally.largest()}
    assert found == {Kind(2, 5, "3"): (10, 5, 3), Kind(5, 2, "7"): (1, 1, 1), Kind(5, 4, "9"): (1, 1, 1)}
    assert next(tally.largest())[1].examples[0] == Example(b"1.1", b"192.0.2.1", b"a@b", b"x@y")
    assert (tally.sessions, tally.recipients, tally.unchanged, tally.by_another) == (6, 18, 6, 1)


def test_a_session_without_recipients_is_no_recipient() -> None:
    tally = Tally()
    tally.add(LAST, [outcome(Told(5, "1"), ACCEPTED, b"")])
    tally.add(LAST, [outcome(ACCEPTED, ACCEPTED, b"")])
    tally.add(LAST, [outcome(ACCEPTED, None, b"", missing=("noptr",))])

    assert (tally.sessions, tally.recipients, tally.unchanged) == (3, 0, 0)
    assert [(count.recipients, count.sessions, count.examples) for _, count in tally.largest()] == [
        (0, 1, [Example(b"1.1", b"192.0.2.1", None, None)])]
    assert (tally.undecidable.recipients, tally.undecidable.sessions) == (0, 1)


def test_what_is_missing_by_word() -> None:
    tally = Tally()
    tally.add(LAST, [outcome(ACCEPTED, None, missing=("dul", "rss")), outcome(ACCEPTED, None, missing=("dul",))])

    assert tally.missing == {"dul": 2, "rss": 1}
    assert (tally.undecidable.recipients, tally.undecidable.sessions) == (2, 1)


def test_shadows_of_the_new_file_and_of_the_log() -> None:
    tally = Tally()
    same = [outcome(ACCEPTED, ACCEPTED, shadows=(3, 4)), outcome(ACCEPTED, ACCEPTED, shadows=(3,))]
    tally.add({**LAST, b"shadow": b"7:2,9:1"}, same)
    tally.add({**LAST, b"shadow": b"7:1"}, [])

    assert (tally.shadows, tally.logged) == ({3: 2, 4: 1}, {7: 3, 9: 1})


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=50))
def test_delays(minutes: list[int]) -> None:
    """Against the list in order."""
    tally = Tally()
    for each in minutes:
        tally.add_wait(b"%d" % each)

    ordered = sorted(minutes)
    half, most = ordered[(len(ordered) + 1) // 2 - 1], ordered[-(-len(ordered) * 9 // 10) - 1]
    assert tally.delays() == (len(ordered), half, most, ordered[-1])
    assert Tally().delays() is None
