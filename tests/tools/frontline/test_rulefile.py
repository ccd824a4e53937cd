"""Faults of rules with their places, and what is allowed and surprises."""

import pytest

from qsmtpd.rules.default import RULES
from qsmtpd.rules.vocabulary import TERMS
from tools.frontline.findings import Finding
from tools.frontline.rulefile import costs, read, surprising, wrong


def surprises(text: str | None, *, quarantine: bool = False, shim: bool = False) -> list[str]:
    rules = read(None if text is None else text.encode(), TERMS)
    assert rules is not None
    found: list[Finding] = list(surprising("rules", rules, quarantine=quarantine, shim=shim))
    return [str(each) for each in found]


def test_every_fault_with_its_place() -> None:
    found = [str(each) for each in wrong("rules", b"nopt refuse\nrelay accept\n\nany refus\n", TERMS)]

    assert found[0].startswith('rules:1:1: error: no tag or fact has the name "nopt"; did you mean "noptr"?; ')
    assert found[1].startswith("rules:4:5: error: ")
    assert len(found) == 2
    assert read(b"nopt refuse\n", TERMS) is None


def test_the_default_rules_are_as_they_should_be() -> None:
    assert read(None, TERMS) is RULES
    assert surprises(None, shim=True) == []


@pytest.mark.parametrize(("text", "said"), [
    ("noptr refuse\n", 'rules: warning: there is no "relay accept"'),
    ("relay accept\nblocked defer\nblocked & noptr refuse\n", "rules:3: warning: it is never reached: line 2 decides before"),
    ("relay accept\nblocked refuse@connect\n", "rules:2: warning: refuse@connect: qmail's own senders try"),
    ("relay accept\nhelo-oneword refuse@helo\n", "rules:2: warning: refuse@helo: "),
    ("relay accept\nnoptr quarantine\n", "rules:2: warning: quarantine without an address"),
    ("relay accept\nsize > 5 hold\n", "rules:2: warning: hold comes too late here"),
    ("relay accept\nvirus refuse\nspam refuse\n", "rules:2: warning: it asks what scanners found"),
    ("relay accept\nany refuse\n", "rules:2: warning: any refuse: no recipient is accepted below this line"),
])
def test_what_surprises(text: str, said: str) -> None:
    found = surprises(text)

    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.parametrize("text", [
    "relay accept\nblocked ?refuse@connect\nblocked defer@connect\n", "relay accept\nany defer 50%\n",
    "relay accept\nany ?refuse\n", "relay accept\nnoptr hold\n"])
def test_what_does_not(text: str) -> None:
    assert surprises(text) == []


def test_what_is_there_surprises_nobody() -> None:
    assert surprises("relay accept\nnoptr quarantine\nvirus refuse\n", quarantine=True, shim=True) == []


def test_what_rules_cost() -> None:
    rules = read(b"relay accept\nnoptr refuse\nany greylist\nsender-bad & blocked refuse\n", TERMS)
    assert rules is not None

    found = [str(each) for each in costs("rules", rules, TERMS)]

    assert found[0] == "rules: note: 4 rules, 5 words; a session may ask for: 1 file, 1 store, 1 dns, 1 callout"
    assert [each.partition(";")[0] for each in found[1:]] == [
        "rules:3: note: store: greylist-age", "rules:2: note: dns: noptr", "rules:4: note: callout: sender-bad"]
