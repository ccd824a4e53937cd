"""Control files that change while sessions go on."""

import gc
import os
import weakref

import pytest

from qsmtpd.drivers.site import LOOK_AGAIN, PER_SESSION, Site
from qsmtpd.qmail.control import ControlError
from tests.conftest import QmailHome


class Reported:
    def __init__(self, home: QmailHome) -> None:
        self.said: list[bytes] = []
        self.site = Site(str(home.control), self.said.append)
        self.now = 0.0

    def config(self, key: bytes = b"", **values: bytes) -> "SharedConfig":
        """The settings that a client sees now, a while after the last."""
        self.now += LOOK_AGAIN
        return self.site.config(key, values, self.now)


def test_nothing_is_read_twice(qmail_home: QmailHome) -> None:
    of = Reported(qmail_home)

    assert of.config() is of.config()
    assert of.config(b"x", DATABYTES=b"7") is of.config(b"x", DATABYTES=b"7")
    assert of.config(b"x", DATABYTES=b"7").databytes == 7
    assert of.config().databytes == 0


def test_what_was_read_before_is_gone_at_once(qmail_home: QmailHome) -> None:
    """A130: a list of a million recipients, with each change of any file, would stay until the collector of cycles comes."""
    of = Reported(qmail_home)
    for name, text in {
            "rcpthosts": "bench.test", "validrcptto": "good@bench.test", "recipients": "@bench.test", "badmailfrom": "x@y.test",
            "calloutrcpt": "bench.test", "rules": 'badmailfrom refuse "no"\n'}.items():
        qmail_home.write(name, text)
    of.config()
    gc.collect()
    gc.disable()
    try:
        for number in range(3):
            qmail_home.write("databytes", str(number + 1))
            assert of.config().databytes == number + 1
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("way", ["new", "in place", "renamed over", "removed"])
def test_a_change_is_seen(way: str, qmail_home: QmailHome) -> None:
    of = Reported(qmail_home)
    if way != "new":
        qmail_home.write("databytes", "1")
    before = of.config()

    if way == "removed":
        (qmail_home.control / "databytes").unlink()
    elif way == "renamed over":
        qmail_home.write("databytes.new", "2")
        os.rename(qmail_home.control / "databytes.new", qmail_home.control / "databytes")
    else:
        qmail_home.write("databytes", "2")

    assert of.config().databytes == (0 if way == "removed" else 2)
    assert before.databytes == (0 if way == "new" else 1)


def test_it_looks_once_a_second(qmail_home: QmailHome) -> None:
    of = Reported(qmail_home)
    first = of.config()
    qmail_home.write("databytes", "2")

    assert of.site.config(b"", {}, of.now + LOOK_AGAIN / 2) is first


def test_a_wrong_file_leaves_the_last_good_ones_in_force(qmail_home: QmailHome) -> None:
    """DESIGN 5: unreadable or wrong: the last good one."""
    of = Reported(qmail_home)
    good = of.config()
    qmail_home.write("rules", "dull refuse")

    assert of.config() is good
    assert of.config() is good
    assert len(of.said) == 1
    assert b"rules: line 1" in of.said[0]

    qmail_home.write("rules", "any accept")
    assert of.config() is not good


@pytest.mark.parametrize(("name", "text"), [("rules", "dull refuse"), ("tags", "this is nonsense"), ("databytes", "x")])
def test_a_wrong_file_keeps_nothing_alive(name: str, text: str, qmail_home: QmailHome) -> None:
    """A session that came upon it is gone when it is over, its databases closed: the collector of cycles runs seldom."""
    class Session:
        pass

    of = Reported(qmail_home)
    of.config()
    qmail_home.write(name, text)

    def come_upon_it() -> "weakref.ref[Session]":
        session = Session()
        of.config()
        return weakref.ref(session)

    gc.disable()
    try:
        assert come_upon_it()() is None
    finally:
        gc.enable()
    assert len(of.said) == 1


def test_nothing_was_ever_right(qmail_home: QmailHome) -> None:
    qmail_home.write("rules", "dull refuse")
    of = Reported(qmail_home)

    with pytest.raises(ControlError):
        of.config()

    qmail_home.write("rules", "any accept")
    assert of.config().rules.rules


def test_a_variable_that_makes_no_sense_is_that_clients_trouble(qmail_home: QmailHome) -> None:
    of = Reported(qmail_home)

    with pytest.raises(ControlError, match="DATABYTES"):
        of.config(b"x", DATABYTES=b"many")
    assert of.config().databytes == 0


def test_hup_reads_everything_again(qmail_home: QmailHome) -> None:
    of = Reported(qmail_home)
    first = of.config()
    of.site.forget()

    assert of.config() is not first


def test_checks_are_shared_but_for_those_that_remember_their_session(qmail_home: QmailHome) -> None:
    found = Reported(qmail_home).config()

    assert found.check("blocked") is found.check("blocked")
    assert all(found.check(name) is not found.check(name) for name in PER_SESSION)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.drivers.site import SharedConfig
