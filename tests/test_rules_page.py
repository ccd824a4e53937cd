"""docs/rules.md and frontline-rules(5): their words are those of the language, their examples are rules."""

import re
import subprocess
from pathlib import Path

import pytest

from qsmtpd.rules.parse import RuleError, parse
from qsmtpd.rules.rule import VERBS
from qsmtpd.rules.site import KINDS, parse_tags, vocabulary
from qsmtpd.rules.text import PLACEHOLDERS
from qsmtpd.rules.unreachable import unreachable
from qsmtpd.rules.vocabulary import TERMS
from qsmtpd.rules.wording import AT_CONNECT, BY_DEFAULT
from tests.words_page import page

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/rules.md").read_text()
MANUAL = ROOT / "man/frontline-rules.5"


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


WORDS = vocabulary(parse_tags("".join(blocks("tags")).encode()))


def manual() -> str:
    done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", MANUAL], check=True, capture_output=True, text=True)
    return re.sub(".\b", "", done.stdout)


def test_the_table_of_words() -> None:
    """After a change: .venv/bin/python -m tests.words_page."""
    assert page(TEXT) == TEXT


@pytest.mark.parametrize("block", blocks("rules"))
def test_the_examples_are_rules(block: str) -> None:
    assert parse(block.encode(), WORDS).rules


def test_the_example_of_what_is_never_reached_is_one() -> None:
    assert [bool(unreachable(parse(block.encode(), WORDS))) for block in blocks("rules")].count(True) == 1


def test_the_example_of_a_fault_is_one() -> None:
    with pytest.raises(RuleError) as raised:
        parse(b"relay accept\nnoptr & helo-onword refuse\n", TERMS)

    assert f"\n       {raised.value}\n" in TEXT


def test_every_verb_has_its_row_and_its_reply() -> None:
    rows = re.findall(r"^\| `([a-z]+)( [^`]*)?` \|[^|]*\|(.*)\|$", TEXT.partition("## Answers")[2], re.MULTILINE)
    said = {verb: reply.strip() for verb, behind, reply in rows if "%" not in behind and verb in VERBS}

    assert set(said) == set(VERBS)
    for verb, reply in BY_DEFAULT.items():
        assert said[verb].startswith(f"{reply.code} {reply.status}")
    assert {verb: reply.code for verb, reply in AT_CONNECT.items()} == {"refuse": 554, "defer": 421}


@pytest.mark.parametrize("word", [*(f"{{{name}}}" for name in PLACEHOLDERS), *KINDS])
def test_placeholders_and_kinds_are_explained(word: str) -> None:
    assert f"`{word}`" in TEXT
    assert re.search(rf"(?<!\w){re.escape(word)}(?!\w)", manual())


def test_the_manual_has_every_verb_and_word() -> None:
    words = set(re.findall(r"[\w-]+", manual()))

    assert {*VERBS, *TERMS, "any", "unknown"} - words == set()


def test_the_examples_of_the_manual_are_rules() -> None:
    text = manual().partition("\nEXAMPLES")[2]
    tags = re.findall(r"^ +(\w+ +(?:dnsbl|env|rcpt) .*)$", text, re.MULTILINE)
    rules = re.findall(r"^ +(\S.* (?:accept|\??refuse|greylist|close@|defer).*)$", text, re.MULTILINE)
    words = vocabulary(parse_tags("\n".join(tags).encode()))

    assert len(tags) == 3
    assert len(parse("\n".join(rules).encode(), words).rules) == len(rules) == 8
