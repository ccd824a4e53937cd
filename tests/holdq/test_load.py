"""The gate."""

import pytest

from holdq.load import MEBIBYTE, Limits, Load, closed, limits, processors, read


@pytest.mark.parametrize(("load", "why"), [
    (Load(0.0, 100 * MEBIBYTE), None),
    (Load(8.0, 64 * MEBIBYTE), None),
    (Load(8.01, 64 * MEBIBYTE), "load average 8.01 is above 8"),
    (Load(0.5, 63 * MEBIBYTE), "63 MiB of memory are available, 64 are wanted"),
])
def test_gate(load: Load, why: str | None) -> None:
    assert closed(load, Limits(8, 64 * MEBIBYTE)) == why


def test_limits_come_from_the_settings() -> None:
    assert limits(0, 64, 4) == Limits(8, 64 * MEBIBYTE)
    assert limits(30, 0, 4) == Limits(30, 0)


def test_this_machine() -> None:
    load = read()

    assert 0 <= load.minute < 10_000
    assert load.available > MEBIBYTE
    assert processors() >= 1
