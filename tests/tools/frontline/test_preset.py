"""--tag: words that are taken as known, and what is said of those that make no sense."""

import pytest

from qsmtpd.rules.vocabulary import TERMS
from tools.command import MistakeError
from tools.frontline.preset import preset


def test_every_kind_of_value() -> None:
    words = ["noptr=yes", "relay=no", "spf-fail=unknown", "load=80.5", "rate=unknown", "draw:12=34"]

    assert preset(words, TERMS) == {
        "noptr": True, "relay": False, "spf-fail": None, "load": 80.5, "rate": None, "draw:12": 34}


@pytest.mark.parametrize(("word", "said"), [
    ("noptr", "expected NAME=yes"),
    ("nopt=yes", "no tag or fact has the name nopt; did you mean noptr?"),
    ("zzzzzzzz=yes", "no tag or fact has the name zzzzzzzz"),
    ("noptr=1", "noptr is a tag, so expected yes, no or unknown"),
    ("load=yes", "expected a number or unknown"),
    ("load=", "expected a number or unknown"),
    ("draw:1=yes", "expected a number or unknown"),
])
def test_what_makes_no_sense(word: str, said: str) -> None:
    with pytest.raises(MistakeError, match=said.replace("?", r"\?")):
        preset([word], TERMS)
