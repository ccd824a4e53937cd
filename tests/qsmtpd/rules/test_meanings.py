"""Every word has its meaning."""

import pytest

from qsmtpd.rules.meanings import MEANING
from qsmtpd.rules.vocabulary import TERMS


def test_every_word_has_one_and_no_other_has() -> None:
    assert list(MEANING) == list(TERMS)


@pytest.mark.parametrize("meaning", MEANING.values())
def test_it_is_a_sentence_that_fits_a_table(meaning: str) -> None:
    assert meaning[0].isupper()
    assert meaning.endswith(".")
    assert meaning.isascii()
    assert "|" not in meaning
