"""What a client is told."""

from qqshim.reply import Reply


def test_permanent() -> None:
    assert Reply(554, "5.7.1", "no").permanent
    assert not Reply(451, "4.3.0", "not now").permanent


def test_all_of_it_on_one_line() -> None:
    assert Reply(550, "5.7.1", "one", "two").text == "one two"
