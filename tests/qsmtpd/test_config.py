"""What is read before the greeting."""

import pytest

from qsmtpd.config import SETTINGS, Config
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules.default import RULES
from qsmtpd.rules.vocabulary import TERMS
from tests.conftest import QmailHome
from tests.play import environment


def config(home: QmailHome) -> Config:
    return Config(Control(str(home.control)))


def test_defaults(qmail_home: QmailHome) -> None:
    found = config(qmail_home)

    assert found.localiphost == found.envnoathost == b"mx.bench.test"
    assert found.replies.greeting.wire == b"220 mx.bench.test ESMTP\r\n"
    assert found.hosts.listed is None
    assert (found.valid.text, found.valid.recipients, found.valid.default_host) == (None, None, b"mx.bench.test")
    assert (found.databytes, found.greetdelay, found.tags) == (0, 0, {})
    assert found.rules is RULES
    assert found.rcptcheck is found.rcptcallout is None


def test_the_environment_wins(qmail_home: QmailHome) -> None:
    qmail_home.write("databytes", "1")
    qmail_home.write("smtpgreeting", "file.test")

    with environment({"DATABYTES": b"2", "SMTPGREETING": b"env.test ready"}):
        found = config(qmail_home)

    assert (found.databytes, found.replies.greeting.wire) == (2, b"220 env.test ready ESMTP\r\n")


def test_lists_are_folded(qmail_home: QmailHome) -> None:
    qmail_home.write("rcpthosts", "Bench.TEST  \n# no\n\n.Sub.test")

    assert config(qmail_home).hosts.listed == {b"bench.test", b".sub.test"}


def test_a_time_of_nothing_is_a_second(qmail_home: QmailHome) -> None:
    """As in qmail-smtpd, where timeoutsmtpd 0 is 1."""
    qmail_home.write("timeoutsmtpd", "0")

    assert config(qmail_home).timeoutsmtpd == 1


@pytest.mark.parametrize(("name", "text"), [
    ("databytes", "-1"), ("timeoutsmtpd", "ten"), ("brtlimit", "1_0"), ("recipients", "x|"), ("me", ""),
    ("rules", "dull refuse"), ("tags", "virus dnsbl a.test"), *(("greetdelay", text) for text in (
        "soon", "--5", "5s", "271", "-1000", "-"))])
def test_what_makes_no_sense_is_an_error_that_names_the_file(name: str, text: str, qmail_home: QmailHome) -> None:
    qmail_home.write(name, text)

    with pytest.raises(ControlError, match=name):
        config(qmail_home)


@pytest.mark.parametrize(("line", "variables", "seconds"), [
    ("7", {}, 7), ("7", {"GREETDELAY": b"-30"}, -30), ("7", {"SMTPD_GREETDELAY": b"5"}, 7), ("7", {"GREETDELAY": b"0"}, 0),
    ("7", {"DROP_PRE_GREET": b"1"}, 7), ("-0", {}, 0), ("", {"SMTPD_GREETDELAY": b"5"}, 5),
    ("", {"SMTPD_GREETDELAY": b"5", "DROP_PRE_GREET": b"1"}, -5), ("", {"DROP_PRE_GREET": b"1"}, 0)])
def test_the_greet_delay_by_the_names_of_two_qmails(
        line: str, variables: dict[str, bytes], seconds: int, qmail_home: QmailHome) -> None:
    qmail_home.write("greetdelay", line)

    with environment(variables):
        assert config(qmail_home).greetdelay == seconds


def test_the_sites_own_words(qmail_home: QmailHome) -> None:
    qmail_home.write("tags", "home env HOME=yes")
    qmail_home.write("rules", "home accept")

    found = config(qmail_home)

    assert found.rules.rules[0].action.verb == "accept"
    assert list(found.tags) == ["home"]


def test_the_default_rules_are_the_same_for_who_has_words_of_his_own(qmail_home: QmailHome) -> None:
    qmail_home.write("tags", "home env HOME=yes")

    found = config(qmail_home)

    assert found.rules is RULES
    assert set(found.vocabulary) == {*TERMS, "home"}


def test_every_setting_has_a_meaning() -> None:
    assert all(setting.meaning for setting in SETTINGS)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
