"""The rule sets of the five operators: what is wrong with a file of theirs, and whether their READMEs say what is so.

What they do is in tests/operators, played with real programs.
"""

import re
import shlex
from pathlib import Path

import pytest

from qsmtpd.config import Config
from qsmtpd.qmail.control import Control
from qsmtpd.rules import printer
from qsmtpd.rules.rule import Rules
from qsmtpd.rules.unreachable import unreachable
from qsmtpd.rules.vocabulary import CONNECT, HELO
from tests.conftest import QmailHome, let_others_in
from tests.operators.site import PREFIX, SETS, Site
from tests.play import environment

NAMES = ("a-small-isp", "b-business-isp", "c-popular-domain", "d-filtering-service", "e-two-people")


@pytest.fixture(params=NAMES)
def site(request: pytest.FixtureRequest, qmail_home: QmailHome) -> Site:
    """No name server answers: all that the READMEs ask for is given."""
    made = Site(qmail_home, Path(PREFIX), request.param, 1)
    made.home.write("rules", (made.place / "control/rules").read_text())  # as they are shipped: here nobody asks for our load
    return made


def rules(site: Site) -> Rules:
    with environment({"QMAILHOME": bytes(site.home.path)}):
        return Config(Control(str(site.home.control))).rules


def readme(site: Site) -> str:
    return (site.place / "README.md").read_text()


def files(site: Site) -> dict[str, str]:
    """The files of a set by their paths in it."""
    return {str(path.relative_to(site.place)): path.read_text() for path in sorted(site.place.rglob("*"))
            if path.is_file() and path.name != "README.md"}


def test_every_set_is_tested() -> None:
    assert sorted(path.name for path in SETS.iterdir()) == sorted(NAMES)


def test_every_rule_can_be_reached(site: Site) -> None:
    assert unreachable(rules(site)) == []


def test_check_finds_nothing_wrong(site: Site) -> None:
    let_others_in(site.home.path)

    assert site.check() == []
    site.change("rules", "relay ", "rellay ")
    assert len(site.check()) == 1


def test_our_own_users_are_accepted_below_their_viruses(site: Site) -> None:
    first = next(rule for rule in rules(site).rules if rule.action.verb == "accept")
    virus = rules(site).rules[0]

    assert printer.line(first) == "relay accept"
    assert printer.line(virus).startswith("virus refuse 554 ")


def test_nobody_is_refused_for_good_before_rcpt(site: Site) -> None:
    """A sender on qmail would try again for a week (RFC 5321 has 554 for who is not to speak at all)."""
    early = [rule for rule in rules(site).rules if rule.spoken in (CONNECT, HELO)]

    assert [rule.line for rule in early if rule.action.verb not in ("defer", "close")] == []


def test_nothing_in_the_sets_is_a_name_of_somebody(site: Site) -> None:
    """Domains are those that are nobody's (RFC 2606), and addresses of documentation or private ones."""
    text = "\n".join([readme(site), *files(site).values()])
    domains = set(re.findall(r"(?<![\w/.-])(?:[a-z0-9-]+\.)+(?:com|net|org|info|de|uk)\b", text))

    assert domains <= {"example.org", "example.net", "mail.example.net", "example.com"}


def quoted(text: str) -> list[str]:
    """What the tables under "What builds it" name."""
    section = text.partition("## What builds it")[2].partition("\n## ")[0]
    cells = [line.split(" | ", 1)[1] for line in section.split("\n") if line.startswith("| ") and " | " in line]
    return [found.replace("\\|", "|") for cell in cells for found in re.findall(r"`([^`]+)`", cell)]


ELSEWHERE = ("-c", "brtlimit", "control/validrcptto.cdb", "tcp.smtp.d/", "control/blocklist.cdb")
"""What a README may name, and a set has not: it is made by the site."""


def test_what_builds_it_is_in_the_files(site: Site) -> None:
    """Each line that a README quotes stands in a file, each file that it names is there."""
    found = files(site)

    assert len(quoted(readme(site))) > 5
    assert [part for part in quoted(readme(site)) if part not in found and part not in ELSEWHERE
            and not any(part in text for text in found.values())] == []


def examples(text: str) -> list[tuple[str, str]]:
    """Each "frontline explain", and the reply that is said to end it."""
    return re.findall(r"^    (frontline explain .*)\n    < (.*)$", text, re.MULTILINE)


def test_the_examples_come_out_as_they_say(site: Site, installation: Path) -> None:
    site.installation = installation
    assert len(examples(readme(site))) >= 3
    for command, reply in examples(readme(site)):
        words = shlex.split(command)[2:]
        if "--env" in words:
            name = words[words.index("--env") + 1].removeprefix("/etc/tcp/").replace("tcp.smtp.cdb", "tcp.smtp")
            words[words.index("--env") + 1] = str(site.build(name))
        said = [line.strip() for line in site.explain(*words).split("\n")]
        assert [line for line in said if line.startswith("< ")][-1].startswith(f"< {reply}"), command
