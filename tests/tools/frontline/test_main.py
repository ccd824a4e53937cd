"""The sub-commands, and how trouble is told."""

import pytest

from tests.conftest import QmailHome
from tests.tools.frontline.conftest import Frontline
from tools.frontline.main import COMMANDS, parser


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, frontline: Frontline) -> None:
    said = frontline(name, "--help")

    assert (said.code, said.err) == (0, "")
    assert "examples:" in said.out


def test_no_command(frontline: Frontline) -> None:
    said = frontline()

    assert said.code == 100
    assert said.err.startswith("frontline: ")


def test_commands_are_not_abbreviated(frontline: Frontline) -> None:
    assert frontline("expl", "--ip", "192.0.2.1").code == 100
    assert parser().prog == "frontline"


def test_a_home_that_is_not_there(frontline: Frontline, qmail_home: QmailHome) -> None:
    (qmail_home.control / "me").unlink()

    said = frontline("explain", "--ip", "192.0.2.1")

    assert said.code == 100
    assert "control/me: absent or empty" in said.err
