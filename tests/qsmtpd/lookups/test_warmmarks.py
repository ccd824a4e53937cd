"""Who rests, in memory: the same as by files, which is how it is tested too."""

import tempfile

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.lookups.marks import MEMORY, REST, STRIKES, Marks
from qsmtpd.lookups.warmmarks import WarmMarks

NOW = 1_800_000_000.0

NAMES = st.sampled_from([b"dul.example", b"example", b"+dns", b"x.dul.example"])
STEPS = st.lists(st.tuples(
    st.sampled_from(["strike", "out", "clear", "has", "has below"]), NAMES,
    st.sampled_from([0.0, 1.0, REST / 2, REST + 1.0, MEMORY + 1.0])), max_size=30)


@given(STEPS)
def test_as_files_have_it(steps: list[tuple[str, bytes, float]]) -> None:
    """Any course of events: the marks of the cold programs are the oracle."""
    with tempfile.TemporaryDirectory(prefix="frontline-") as place:
        now, cold, warm = NOW, Marks(place), WarmMarks()
        for step, name, later in steps:
            now += later
            if step == "clear":
                cold.clear(name)
                warm.clear(name)
            elif step.startswith("has"):
                asked = name if step == "has" else b"2.0.0.127." + name
                assert warm.has(asked, now) == cold.has(asked, now)
            else:
                strikes = STRIKES if step == "out" else 1
                assert warm.strike(name, now, strikes) == cold.strike(name, now, strikes)


def test_what_is_cleared_takes_no_room() -> None:
    marks = WarmMarks()
    for _ in range(STRIKES):
        marks.strike(b"dul.example", NOW)
    assert marks.has(b"2.0.0.127.dul.example", NOW)
    marks.clear(b"dul.example")

    assert not marks.has(b"dul.example", NOW)
    assert not marks._ends()
    assert not marks._strikes
