"""control/databytes."""

import pytest

from qsmtpd.checks.size import advertised, announced, stored


@pytest.mark.parametrize(("databytes", "size", "refused"), [(0, 10**19, False), (10, 10, False), (10, 11, True)])
def test_stored(databytes: int, size: int, refused: bool) -> None:
    assert (stored(size, databytes) is not None) == refused


@pytest.mark.parametrize(("databytes", "size", "refused"), [(0, 10**19, False), (10, 20, False), (10, 21, True)])
def test_announced(databytes: int, size: int, refused: bool) -> None:
    """A message of empty lines is twice as large on the wire."""
    assert (announced(size, databytes) is not None) == refused


def test_advertised() -> None:
    assert [advertised(databytes) for databytes in (0, 1000)] == [0, 1050]
