"""Events keep what they are given, and nothing else."""

import pytest

from qsmtpd.dotstuff import EndOfData
from qsmtpd.events import Signal


@pytest.mark.parametrize("event", [Signal(b"mail"), Signal(), EndOfData(1, 0)])
def test_an_event_has_no_room_for_more(event: object) -> None:
    with pytest.raises(AttributeError):
        event.more = 1  # type: ignore[attr-defined]
