"""The settings."""

import os

import pytest

from holdq import config
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.settings import Settings
from tests.holdq.site import ROOT, Site


def settings(site: Site) -> Settings:
    return Settings(config.RUN_SETTINGS, Control(str(site.control)))


def test_the_spool_is_under_qmailhome(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDQ", raising=False)
    monkeypatch.setenv("QMAILHOME", "/var/lib/qmail")

    assert config.spool_directory(settings(site)) == "/var/lib/qmail/holdq"


def test_or_where_the_file_says_or_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("holdq", "/srv/spool")
    assert config.spool_directory(settings(site)) == "/srv/spool"

    monkeypatch.setenv("HOLDQ", "/elsewhere")
    assert config.spool_directory(settings(site)) == "/elsewhere"


def test_the_network_uid_is_a_name_or_a_number(site: Site) -> None:
    site.write("holdqnetwork", "root")
    assert config.network_uid(settings(site)) == 0

    site.write("holdqnetwork", "4711")
    assert config.network_uid(settings(site)) == 4711

    site.write("holdqnetwork", "nobody-has-this-name")
    assert config.network_uid(settings(site)) == -1 != os.getuid()

    site.write("holdqnetwork", "9" * 30)
    with pytest.raises(ControlError, match="holdqnetwork"):
        config.network_uid(settings(site))


@pytest.mark.parametrize(("page", "table"), [("holdq-queue.8", config.QUEUE_SETTINGS), ("holdq.8", config.RUN_SETTINGS)])
def test_the_manual_lists_every_setting(page: str, table: tuple[config.Setting, ...]) -> None:
    text = (ROOT / "man" / page).read_text()
    section = text.partition(".Sh SETTINGS\n")[2].partition(".Sh ")[0]
    items = [line for line in section.split("\n") if line.startswith(".It ")]

    assert items == [f".It Pa {setting.name} , Ev {setting.name.upper()}" for setting in table]
    for setting in table:
        described = section.partition(f".It Pa {setting.name} ,")[2].partition(".It ")[0]
        default = setting.default.decode() if isinstance(setting.default, bytes) else setting.default
        assert f"\nDefault: {'$QMAILHOME/' if default is None else default}" in described
