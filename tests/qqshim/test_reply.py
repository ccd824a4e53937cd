"""Replies, permanent or not."""

from qqshim.reply import Reply


def test_permanent() -> None:
    assert Reply(554, "5.7.1", "no").permanent
    assert not Reply(451, "4.3.0", "not now").permanent
