"""The certificate: what is written is read back, and nothing else is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim import digest, header
from qqshim.certificate import NAME, Certificate, field, read

KEY = b"0123456789abcdef0123456789abcdef"

CERTIFICATES = st.builds(
    Certificate,
    time=st.integers(0, 2**40), verdict=st.sampled_from(["pass", "tag"]),
    tags=st.lists(st.sampled_from(["spam", "virus", "clamd-failed", "spamd-toolarge"]), max_size=4).map(tuple),
    score=st.none() | st.integers(-99990, 99990), recipients=st.integers(1, 10**6),
    client=st.none() | st.ip_addresses().map(lambda ip: str(ip).encode()), relay=st.none() | st.booleans(),
    sender=st.binary().map(digest.of_name), message_id=st.none() | st.binary().map(digest.of_name))


def contents(certificate: Certificate) -> dict[str, object]:
    return {name: getattr(certificate, name) for name in Certificate.__slots__}


def certificate(**changes: object) -> Certificate:
    values: dict[str, object] = {
        "time": 1795262400, "verdict": "tag", "tags": ("spam",), "score": 65, "recipients": 1, "client": b"192.0.2.7",
        "relay": False, "sender": digest.of_name(b"a@b"), "message_id": digest.of_name(b"<1@x>")}
    return Certificate(**{**values, **changes})  # type: ignore[arg-type]


def value_of(whole: bytes) -> bytes:
    value = header.find(whole + b"Subject: x\n\n", NAME)
    assert value is not None
    return value


@given(CERTIFICATES, st.none() | st.binary(min_size=1))
def test_round_trip(written: Certificate, key: bytes | None) -> None:
    whole = field(written, key)

    assert contents(read(value_of(whole), key)) == contents(written)
    assert contents(read(whole.partition(b":")[2], key)) == contents(written), "folded"
    assert max(map(len, whole.split(b"\n"))) < 998


def test_field() -> None:
    assert field(certificate(), None) == (
        b"X-Frontline-Verdict: v=1; t=1795262400; verdict=tag; tags=spam; score=6.5; rcpts=1;\n"
        b" client=192.0.2.7; relay=0; from=%b; id=%b\n" % (digest.of_name(b"a@b"), digest.of_name(b"<1@x>")))


@pytest.mark.parametrize(("before", "after"), [
    (b"verdict=tag", b"verdict=pass"), (b"score=6.5", b"score=0.5"), (b"rcpts=1", b"rcpts=2"), (b"relay=0", b"relay=1"),
    (b"tags=spam", b"tags=-"), (b"192.0.2.7", b"192.0.2.8"), (b"t=1795262400", b"t=1895262400"), (b"mac=", b"mac=0"),
    (b"; mac=", b"; mac=00; mac="), (b"v=1; ", b"")])
def test_a_changed_certificate_is_refused(before: bytes, after: bytes) -> None:
    """A80: an HMAC of ours with another verdict, recipient, message."""
    value = value_of(field(certificate(), KEY))
    assert before in value

    with pytest.raises(ValueError, match="not signed with this key"):
        read(value.replace(before, after, 1), KEY)


def test_another_key_or_no_signature_is_refused() -> None:
    for value in (value_of(field(certificate(), b"another key")), value_of(field(certificate(), None))):
        with pytest.raises(ValueError, match="not signed"):
            read(value, KEY)


@given(st.binary(), st.none() | st.just(KEY))
def test_garbage_is_refused(value: bytes, key: bytes | None) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(value, key)


@given(CERTIFICATES, st.sampled_from(range(11)), st.binary(max_size=20))
def test_a_damaged_one_is_refused_or_sensible(written: Certificate, place: int, rubbish: bytes) -> None:
    """A59: numbers with signs, blanks, underscores; words with bytes that are none."""
    pairs = value_of(field(written, None)).split(b"; ")
    pairs[place % len(pairs)] = pairs[place % len(pairs)].partition(b"=")[0] + b"=" + rubbish
    try:
        back = read(b"; ".join(pairs), None)
    except ValueError:
        return

    assert back.recipients >= 0
    assert back.verdict in ("pass", "tag")


def test_a_hostile_client_address_is_left_out() -> None:
    """A41, A42: the environment can hold anything."""
    for client in (b"192.0.2.7; relay=1", b"x\nX-Spam: no", b"", b"1" * 300):
        assert read(value_of(field(certificate(client=client), KEY)), KEY).client is None
