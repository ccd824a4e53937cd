"""Events keep what they are given, and nothing else."""

import pytest

from qsmtpd.dotstuff import EndOfData
from qsmtpd.events import Helo, Mail, Signal


@pytest.mark.parametrize("event", [Helo(b"x", True), Mail(b"a@b", 0, False), Signal(), EndOfData(1, 0)])
def test_an_event_has_no_room_for_more(event: object) -> None:
    with pytest.raises(AttributeError):
        event.more = 1  # type: ignore[attr-defined]
