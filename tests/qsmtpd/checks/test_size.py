"""control/databytes."""

import pytest

from qsmtpd.checks.size import Size


@pytest.mark.parametrize(("databytes", "size", "refused"), [(0, 10**19, False), (10, 10, False), (10, 11, True)])
def test_size(databytes: int, size: int, refused: bool) -> None:
    assert (Size(databytes).opinion(size) is not None) == refused
