"""An envelope with fewer recipients."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.readdress import readdress, recipients
from qsmtpd.qmail.envelope import build
from tests.qqshim.arrived import mail

MANY = [b"user%d@bench.test" % number for number in range(20_000)]


def envelope_after(addresses: list[bytes], verbs: list[str], quarantine: bytes | None) -> tuple[int, bytes]:
    of = mail(*addresses)
    count = readdress(of, verbs, quarantine, b"/var/tmp")
    text = of.envelope.read(0, of.envelope.size + 1)
    of.envelope.close()
    of.message.close()
    return count, text


@pytest.mark.parametrize(("verbs", "quarantine", "left"), [
    (["accept", "refuse", "accept"], b"q@x", [b"a", b"c", b"q@x"]),
    (["accept", "discard", "accept"], None, [b"a", b"c"]),
    (["quarantine"], b"q@x", [b"q@x"]),
    (["quarantine", "accept", "accept"], b"c", [b"b", b"c"]),
    (["discard"], None, []),
])
def test_who_is_left(verbs: list[str], quarantine: bytes | None, left: list[bytes]) -> None:
    assert envelope_after([b"a", b"b", b"c"], verbs, quarantine) == (len(left), build(b"a@client.test", left))


JUDGED = st.tuples(st.sampled_from([b"a", b"", b"x" * 1000]), st.sampled_from(["accept", "refuse"]))


@given(st.lists(JUDGED, min_size=2, max_size=5))
def test_nobody_who_accepts_is_lost(judged: list[tuple[bytes, str]]) -> None:
    """Twice the same address is twice that address."""
    left = [address for address, verb in judged if verb == "accept"]

    count, text = envelope_after([address for address, _ in judged], [verb for _, verb in judged], b"q@x")
    assert (count, text) == (len(left) + 1, build(b"a@client.test", [*left, b"q@x"]))


def test_many_are_read_in_pieces() -> None:
    of = mail(*MANY)

    assert list(recipients(of)) == MANY
    count, text = envelope_after(MANY, ["accept" if number % 2 else "discard" for number in range(len(MANY))], None)
    assert (count, text) == (10_000, build(b"a@client.test", MANY[1::2]))
