"""What is read before the greeting."""

import pytest

from qsmtpd.config import SETTINGS, Config
from qsmtpd.qmail.control import Control, ControlError
from tests.conftest import QmailHome
from tests.play import environment


def config(home: QmailHome) -> Config:
    return Config(Control(str(home.control)))


def test_defaults(qmail_home: QmailHome) -> None:
    found = config(qmail_home)

    assert found.smtpgreeting == found.localiphost == found.envnoathost == b"mx.bench.test"
    assert found.rcpthosts is None
    assert (found.badmailfrom, found.validrcptto, found.recipients) == (frozenset(), None, None)
    assert found.databytes == 0


def test_the_environment_wins(qmail_home: QmailHome) -> None:
    qmail_home.write("databytes", "1")
    qmail_home.write("smtpgreeting", "file.test")

    with environment({"DATABYTES": b"2", "SMTPGREETING": b"env.test ready"}):
        found = config(qmail_home)

    assert (found.databytes, found.smtpgreeting) == (2, b"env.test ready")


def test_lists_are_folded(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "Bench.TEST  \n# no\n\n.Sub.test")

    assert config(qmail_home).rcpthosts == {b"bench.test", b".sub.test"}


def test_a_time_of_nothing_is_a_second(qmail_home: QmailHome) -> None:
    """As in qmail-smtpd, where timeoutsmtpd 0 is 1."""
    qmail_home.write("timeoutsmtpd", "0")

    assert config(qmail_home).timeoutsmtpd == 1


@pytest.mark.parametrize(("name", "text"), [
    ("databytes", "-1"), ("timeoutsmtpd", "ten"), ("brtlimit", "1_0"), ("recipients", "x|prog"), ("me", "")])
def test_what_makes_no_sense_is_an_error_that_names_the_file(name: str, text: str, qmail_home: QmailHome) -> None:
    qmail_home.write(name, text)

    with pytest.raises(ControlError, match=name):
        config(qmail_home)


def test_every_setting_has_a_meaning() -> None:
    assert all(setting.meaning for setting in SETTINGS)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
