"""Digests: the standard library's as the oracle, and what makes two texts the same campaign."""

import hashlib
import hmac as oracle
import time

from hypothesis import given
from hypothesis import strategies as st

from qqshim import digest

TEXT = b"Dear customer, this is the offer of your life: buy now, pay never, and tell all of your friends.\n"


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_hmac(key: bytes, text: bytes) -> None:
    assert digest.hmac(key, text) == oracle.new(key, text, "sha256").hexdigest().encode()


@given(st.binary(max_size=200))
def test_of_name(name: bytes) -> None:
    assert digest.of_name(name) == hashlib.sha256(name).hexdigest()[:32].encode()


def test_copies_of_a_campaign_have_one_digest() -> None:
    copies = [
        TEXT, TEXT.upper(), b"\n\n" + TEXT.replace(b" ", b"  "), b"1234 " + TEXT + b"98765", TEXT.replace(b"\n", b"\r\n"),
        b"--boundary1\n" + TEXT + b"--boundary1--\n", b"--other77\n" + TEXT + b"--other77--\n"]

    assert len({digest.of_text(copy) for copy in copies}) == 1
    assert digest.of_text(TEXT) != digest.of_text(TEXT.replace(b"offer", b"chance"))


def test_texts_that_are_not_ascii_differ() -> None:
    assert digest.of_text("один текст и ещё один".encode()) != digest.of_text("другой текст и ещё один".encode())


def test_too_few_letters_have_none() -> None:
    assert digest.of_text(b"") is None
    assert digest.of_text(b"ok 12345 " * 4) is None


def test_bombs_take_no_time() -> None:
    """A85."""
    start = time.process_time()
    for unit in (b"\n", b"--\n", b"=\n", b"a\n--", b"a", b"\xff"):
        digest.of_text(unit * 10**6)

    assert time.process_time() - start < 2


def test_only_the_beginning_counts() -> None:
    body = b"a long text without an end " * 4000

    assert digest.of_text(body) == digest.of_text(body[:digest.TEXT_READ] + b"something else altogether")
